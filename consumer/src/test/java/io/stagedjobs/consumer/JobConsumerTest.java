package io.stagedjobs.consumer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.StagedJob;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.jobs.TestEnqueuer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JobConsumerTest {

    private ConsumerScene scene;

    @BeforeEach
    void open() throws Exception {
        scene = new ConsumerScene(4);
    }

    @AfterEach
    void close() throws Exception {
        scene.close();
    }

    private void awaitAllCommitted() throws Exception {
        int all = scene.published.values().stream().mapToInt(List::size).sum();
        Eventually.until(
                "all offsets are committed",
                Duration.ofSeconds(30),
                () -> scene.committed().values().stream()
                                .mapToLong(Long::longValue)
                                .sum()
                        == all);
    }

    @ParameterizedTest
    @CsvSource({"8, 1", "8, 50", "1, 50"})
    void each_job_is_handled_once_and_those_of_a_key_in_their_order(int workers, int jobsPerUnit) throws Exception {
        scene.publish(20, 20);
        scene.start(scene.numbered().workers(workers).jobsPerUnit(jobsPerUnit));
        scene.publish(20, 20);
        scene.checkAll();
        awaitAllCommitted();
    }

    @ParameterizedTest
    @CsvSource({"1", "50"})
    void a_key_that_fails_waits_and_the_others_go_on(int jobsPerUnit) throws Exception {
        AtomicBoolean fails = new AtomicBoolean(true);
        AtomicInteger attempts = new AtomicInteger();
        scene.start(JobConsumer.named(scene.topic)
                .topics(scene.topic)
                .on("numbered", Integer.class, (work, job) -> {
                    work.dsl().execute("INSERT INTO effects (key, number) VALUES (?, ?)", job.key(), job.payload());
                    if ("k3".equals(job.key()) && fails.get()) {
                        attempts.incrementAndGet();
                        throw new IllegalStateException("it fails");
                    }
                })
                .database(scene.unit)
                .kafka(Map.of("bootstrap.servers", ConsumerScene.KAFKA.bootstrapServers()))
                .retry(Retry.from(Duration.ofMillis(10)).upTo(Duration.ofMillis(50)))
                .jobsPerUnit(jobsPerUnit));
        scene.publish(10, 20);
        scene.awaitEffects(9 * 20);
        Eventually.until("it was tried again", () -> attempts.get() > 3);
        assertThat(scene.effects()).isEqualTo(9 * 20);
        fails.set(false);
        scene.checkAll();
    }

    @Test
    void an_error_of_a_handler_ends_no_worker() throws Exception {
        AtomicInteger errors = new AtomicInteger(3);
        scene.start(JobConsumer.named(scene.topic)
                .topics(scene.topic)
                .on("numbered", Integer.class, (work, job) -> {
                    if (errors.getAndDecrement() > 0) {
                        throw new AssertionError("an error");
                    }
                    work.dsl().execute("INSERT INTO effects (key, number) VALUES (?, ?)", job.key(), job.payload());
                })
                .database(scene.unit)
                .kafka(Map.of("bootstrap.servers", ConsumerScene.KAFKA.bootstrapServers()))
                .retry(Retry.from(Duration.ofMillis(10)))
                .workers(1));
        scene.publish(5, 2);
        scene.checkAll();
    }

    @Test
    void what_cannot_be_read_waits_and_nobody_s_jobs_are_ignored_without_a_row() throws Exception {
        UUID ignored = UUID.randomUUID();
        scene.publish("other", "nobody's", new byte[] {1}, ignored);
        scene.publish("bad", "numbered", "no number".getBytes(UTF_8), UUID.randomUUID());
        scene.publish("bad", 1);
        scene.publish("good", 2);
        scene.publish("good", "numbered", null, UUID.randomUUID());
        scene.flush();
        scene.start(scene.numbered());
        scene.awaitEffects(1);
        Eventually.until("what waits is alone", () -> scene.dsl.fetchCount(DSL.table("processed_jobs")) == 1);
        assertThat(scene.dsl.fetch("SELECT number FROM effects").getValues(0, Integer.class))
                .containsExactly(2);
        assertThat(scene.dsl.fetchCount(DSL.table("processed_jobs"), DSL.condition("job_id = ?", ignored)))
                .isZero();
    }

    @Test
    void a_job_that_was_published_twice_has_its_effect_once() throws Exception {
        UUID twice = UUID.randomUUID();
        for (int i = 0; i < 10; i++) {
            scene.publish("k", "numbered", "7".getBytes(UTF_8), twice);
        }
        scene.publish("k", 8);
        scene.flush();
        scene.start(scene.numbered().jobsPerUnit(50));
        scene.awaitEffects(2);
        assertThat(scene.dsl.fetch("SELECT number FROM effects ORDER BY place").getValues(0, Integer.class))
                .containsExactly(7, 8);
    }

    @Test
    void consumers_that_come_and_go_handle_each_job_once_in_the_order_of_its_key() throws Exception {
        scene.start(scene.numbered());
        for (int round = 0; round < 6; round++) {
            scene.publish(50, 4);
            JobConsumer another = scene.numbered().jobsPerUnit(10).start();
            scene.publish(50, 4);
            scene.awaitEffects(50 * 4);
            another.close();
        }
        scene.checkAll();
    }

    @Test
    void one_that_is_closed_in_mid_work_leaves_the_rest_to_the_next() throws Exception {
        scene.publish(100, 20);
        for (int i = 0; i < 10; i++) {
            int before = scene.effects();
            try (JobConsumer consumer = scene.numbered().start()) {
                Eventually.until("it works", Duration.ofSeconds(30), () -> scene.effects() > before);
            }
            // What it committed to Kafka is finished.
            long committed = scene.committed().values().stream()
                    .mapToLong(Long::longValue)
                    .sum();
            assertThat(committed).isLessThanOrEqualTo(scene.effects());
            if (scene.effects() == 100 * 20) {
                break;
            }
        }
        scene.start(scene.numbered());
        scene.checkAll();
    }

    @Test
    void a_handler_s_staged_jobs_commit_with_its_effects_and_reach_the_next_consumer() throws Exception {
        String next = ConsumerScene.KAFKA.newTopic("next", 1);
        Map<String, Integer> attempts = new ConcurrentHashMap<>();
        scene.start(JobConsumer.named("first-" + scene.topic)
                .topics(scene.topic)
                .on("numbered", Integer.class, (work, job) -> {
                    work.stage(StagedJob.builder(next, "numbered")
                            .key(String.valueOf(job.key()))
                            .json(job.payload())
                            .build());
                    if (attempts.merge(job.id().toString(), 1, Integer::sum) == 1) {
                        throw new IllegalStateException("its first attempt fails after staging");
                    }
                })
                .database(scene.unit)
                .kafka(Map.of("bootstrap.servers", ConsumerScene.KAFKA.bootstrapServers()))
                .retry(Retry.from(Duration.ofMillis(5))));
        scene.start(scene.numbered().topics(next));
        scene.publish(5, 4);
        // The consumer that writes effects reads both topics, so each number comes by both ways.
        scene.awaitEffects(5 * 4);
        Eventually.until(
                "all are staged",
                Duration.ofSeconds(30),
                () -> scene.dsl.fetchCount(DSL.table("staged_jobs")) == 5 * 4);
        TestEnqueuer.from(scene.database.url(), scene.database.username(), scene.database.password())
                .to(ConsumerScene.KAFKA.bootstrapServers())
                .drain();
        scene.awaitEffects(2 * 5 * 4);
        assertThat(scene.dsl
                        .fetch("SELECT number, count(*) FROM effects GROUP BY 1")
                        .getValues(1, Integer.class))
                .hasSize(5 * 4)
                .containsOnly(2);
    }

    @Test
    void a_setting_that_the_promise_rests_on_cannot_be_changed() {
        assertThatThrownBy(() -> scene.numbered().kafka(Map.of("isolation.level", "read_uncommitted")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("the setting isolation.level of consumer \"" + scene.topic
                        + "\" is read_committed and cannot be changed");
        assertThatThrownBy(() -> scene.numbered().kafka(Map.of("group.id", "another")))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> JobConsumer.named("c").start())
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("needs topics, a handler, a database and kafka(…)");
        assertThatThrownBy(() -> scene.numbered().onBytes("numbered", (work, job) -> {}))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("have a handler already");
        assertThatThrownBy(() -> scene.numbered()
                        .kafka(Map.of("bootstrap.servers", "nowhere.invalid:9092"))
                        .start())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cannot start: Kafka's client refuses its settings");
        assertThatThrownBy(() -> scene.numbered().workers(0)).isInstanceOf(IllegalArgumentException.class);
    }
}
