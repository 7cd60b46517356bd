package io.stagedjobs.consumer;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.stagedjobs.testkit.Eventually;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** Databases and offsets that are older, newer or other than they should be. */
class MarksTest {

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private ConsumerScene scene;
    private TopicPartition partition;

    @BeforeEach
    void open() throws Exception {
        scene = new ConsumerScene(1);
        partition = new TopicPartition(scene.topic, 0);
    }

    @AfterEach
    void close() throws Exception {
        scene.close();
    }

    private void handleAll() throws Exception {
        try (JobConsumer consumer = scene.numbered().start()) {
            scene.checkAll();
        }
    }

    private long mark() {
        return scene.dsl
                .fetchSingle("SELECT coalesce(sum(next_offset), 0) FROM consumer_marks")
                .get(0, long.class);
    }

    private void setOffset(long offset) throws Exception {
        ConsumerScene.KAFKA
                .admin()
                .alterConsumerGroupOffsets(scene.topic, Map.of(partition, new OffsetAndMetadata(offset)))
                .all()
                .get();
    }

    @Test
    void kafka_never_knows_more_than_the_mark_and_the_mark_no_more_than_is_finished() throws Exception {
        scene.publish(10, 20);
        try (JobConsumer consumer = scene.numbered().start()) {
            for (int i = 0; i < 20; i++) {
                scene.publish(10, 20);
                long committed = scene.committed().getOrDefault(partition, 0L);
                long mark = scene.dsl.fetch("SELECT next_offset FROM consumer_marks").stream()
                        .mapToLong(row -> row.get(0, long.class))
                        .sum();
                assertThat(committed).isLessThanOrEqualTo(mark);
                assertThat(mark).isLessThanOrEqualTo(scene.effects());
            }
            scene.checkAll();
        }
        assertThat(mark()).isEqualTo(10 * 20 * 21);
        assertThat(scene.committed()).containsEntry(partition, 10L * 20 * 21);
    }

    @Test
    void expired_offsets_cost_nothing() throws Exception {
        scene.publish(5, 4);
        handleAll();
        ConsumerScene.KAFKA
                .admin()
                .deleteConsumerGroups(Set.of(scene.topic))
                .all()
                .get();
        scene.dsl.execute("TRUNCATE processed_jobs"); // so that a job that came again would be handled again
        scene.publish(5, 4);
        handleAll();
    }

    @Test
    void a_database_that_was_put_back_handles_again_what_it_lost() throws Exception {
        scene.publish(5, 4);
        handleAll();
        scene.publish(5, 4);
        handleAll();
        // As from a backup that was made after the first twenty.
        scene.dsl.execute("DELETE FROM effects WHERE number >= 20");
        scene.dsl.execute("DELETE FROM processed_jobs WHERE processed_at > (SELECT processed_at FROM processed_jobs"
                + " ORDER BY processed_at OFFSET 19 LIMIT 1)");
        scene.dsl.execute("UPDATE consumer_marks SET next_offset = 20");
        handleAll();
        assertThat(mark()).isEqualTo(40);
    }

    @Test
    void a_database_that_loses_commits_under_a_running_consumer_handles_them_again() throws Exception {
        scene.publish(5, 4);
        scene.start(scene.numbered());
        scene.checkAll();
        Eventually.until("the mark is there", PATIENCE, () -> mark() == 20);
        scene.unit.run(work -> {
            work.dsl().execute("DELETE FROM effects");
            work.dsl().execute("DELETE FROM processed_jobs");
            work.dsl().execute("UPDATE consumer_marks SET next_offset = 0");
        });
        scene.checkAll();
        Eventually.until("the mark is there again", PATIENCE, () -> mark() == 20);
    }

    @Test
    void with_an_empty_database_and_a_group_that_had_finished_jobs_it_reads_nothing_until_a_person_decides()
            throws Exception {
        scene.publish(5, 4);
        handleAll();
        scene.dsl.execute("TRUNCATE processed_jobs, consumer_marks, effects");
        Logger logger = (Logger) LoggerFactory.getLogger(JobConsumer.class);
        ListAppender<ILoggingEvent> logged = new ListAppender<>();
        logged.start();
        logger.addAppender(logged);
        JobConsumer halted = scene.numbered().start();
        scene.publish("late", 100);
        scene.flush();
        scene.published.remove("late");
        Eventually.until("it is halted", PATIENCE, () -> halted.halted().containsKey(partition));
        assertThat(halted.halted().get(partition)).contains("its database knows nothing of it");
        assertThat(scene.dsl.fetchCount(DSL.table("processed_jobs"))).isZero();
        halted.close();
        logger.detachAppender(logged);
        assertThat(logged.list)
                .filteredOn(event -> event.getLevel() == Level.ERROR)
                .singleElement()
                .asString()
                .contains("is halted on " + partition, "its database knows nothing of it");
        setOffset(0);
        scene.published.put("late", List.of(100));
        handleAll();
    }

    @Test
    void what_a_person_has_set_is_read_again_and_skipped() throws Exception {
        scene.publish(5, 4);
        handleAll();
        setOffset(0);
        scene.publish(5, 4);
        handleAll();
        assertThat(scene.committed()).containsEntry(partition, 40L);
        setOffset(40);
        handleAll();
    }

    @Test
    void a_topic_that_was_made_anew_is_read_from_its_beginning() throws Exception {
        scene.publish(5, 4);
        handleAll();
        ConsumerScene.KAFKA.deleteTopic(scene.topic);
        Eventually.until(
                "it is gone",
                PATIENCE,
                () -> !ConsumerScene.KAFKA.admin().listTopics().names().get().contains(scene.topic));
        ConsumerScene.KAFKA.createTopic(scene.topic, 1);
        scene.publish(2, 2);
        handleAll();
        assertThat(mark()).isEqualTo(4);
    }
}
