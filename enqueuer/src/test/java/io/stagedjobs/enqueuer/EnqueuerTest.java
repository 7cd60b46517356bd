package io.stagedjobs.enqueuer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.testkit.Eventually;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole enqueuers beside each other in one JVM, on a real PostgreSQL and a real broker. */
class EnqueuerTest {

    private static final int KEYS = 500;
    private static final int JOBS_PER_KEY = 40;
    private static final int WRITERS = 4;

    private Outbox outbox;
    private String topic;

    @BeforeEach
    void open() {
        outbox = new Outbox("enqueuers");
        topic = outbox.kafka.newTopic("enqueuers", 6);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"exactly-once", "at-least-once"})
    void four_enqueuers_move_twenty_thousand_jobs_of_five_hundred_keys_and_keep_each_keys_order(String delivery)
            throws Exception {
        for (int i = 0; i < 4; i++) {
            outbox.enqueuer(delivery.equals("exactly-once") ? outbox.exactlyOnce() : outbox.publisher(Map.of()))
                    .start();
        }
        Eventually.until("all four own two lanes", () -> lanesByOwner().equals(List.of(2L, 2L, 2L, 2L)));
        writeEverything();
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);

        Map<String, List<String>> namesByKey = outbox.read(topic).stream()
                .collect(Collectors.groupingBy(
                        record -> new String(record.key(), UTF_8),
                        Collectors.mapping(record -> Outbox.header(record, "ce_type"), Collectors.toList())));
        List<String> inOrder =
                IntStream.range(0, JOBS_PER_KEY).mapToObj(n -> "job." + n).toList();
        assertThat(namesByKey).hasSize(KEYS);
        assertThat(namesByKey.values()).allSatisfy(names -> assertThat(names).isEqualTo(inOrder));
    }

    @ParameterizedTest
    @ValueSource(strings = {"exactly-once", "at-least-once"})
    void a_publication_of_all_tables_does_not_keep_jobs_from_being_published_once(String delivery) throws Exception {
        outbox.dsl().execute("CREATE PUBLICATION everything FOR ALL TABLES");
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name)"
                                + " SELECT ?, 'k' || n % 7, 'job.' || n FROM generate_series(1, 100) AS n",
                        topic);
        outbox.enqueuer(delivery.equals("exactly-once") ? outbox.exactlyOnce() : outbox.publisher(Map.of()))
                .start();
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        assertThat(outbox.namesIn(topic)).hasSize(100).doesNotHaveDuplicates();
    }

    /** Each writer has keys of its own; every third transaction is rolled back and done again. */
    private void writeEverything() throws Exception {
        ExecutorService writers = Executors.newFixedThreadPool(WRITERS);
        try {
            List<Future<?>> all = new ArrayList<>();
            for (int w = 0; w < WRITERS; w++) {
                int writer = w;
                all.add(writers.submit(() -> {
                    write(writer);
                    return null;
                }));
            }
            for (Future<?> each : all) {
                each.get();
            }
        } finally {
            writers.shutdownNow();
        }
    }

    private void write(int writer) throws Exception {
        try (Connection connection = outbox.transaction()) {
            for (int n = 0; n < JOBS_PER_KEY; n++) {
                for (int attempt = 0; attempt < 2; attempt++) {
                    try (var statement =
                            connection.prepareStatement("INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                    + " SELECT ?, k::text, ?, '{}' FROM generate_series(?, ?, ?) AS k")) {
                        statement.setString(1, topic);
                        statement.setString(2, "job." + n);
                        statement.setInt(3, writer);
                        statement.setInt(4, KEYS - 1);
                        statement.setInt(5, WRITERS);
                        statement.executeUpdate();
                    }
                    if (attempt == 0 && n % 3 == 0) {
                        connection.rollback();
                    } else {
                        connection.commit();
                        break;
                    }
                }
            }
        }
    }

    private List<Long> lanesByOwner() {
        return outbox.dsl()
                .fetch("SELECT count(*) FROM staged_job_lanes WHERE owner IS NOT NULL GROUP BY owner")
                .getValues(0, long.class);
    }

    @Test
    void lanes_are_shared_anew_when_an_enqueuer_comes_or_leaves() throws Exception {
        Enqueuer first = outbox.enqueuer();
        first.start();
        Eventually.until("the first owns all lanes", () -> lanesByOwner().equals(List.of(8L)));
        Enqueuer second = outbox.enqueuer();
        second.start();
        Eventually.until("they share", () -> lanesByOwner().equals(List.of(4L, 4L)));
        first.close();
        Eventually.until("the second owns all lanes", () -> lanesByOwner().equals(List.of(8L)));
        assertThat(outbox.dsl().fetch("SELECT enqueuer FROM staged_job_enqueuers"))
                .hasSize(1);
        second.close();
        assertThat(lanesByOwner()).isEmpty();
        assertThat(outbox.dsl().fetch("SELECT enqueuer FROM staged_job_enqueuers"))
                .isEmpty();
    }

    /**
     * Whoever owns more than its share gives lanes back; what is lost of that must not leave a lane with a live owner
     * that rests.
     */
    @Test
    void a_lane_that_could_not_be_given_back_is_given_back_by_the_next_heartbeat() throws Exception {
        AtomicBoolean lost = new AtomicBoolean();
        PostgresLanes lanes = outbox.lanes();
        Lanes losing = (Lanes) Proxy.newProxyInstance(
                Lanes.class.getClassLoader(), new Class<?>[] {Lanes.class}, (self, method, args) -> {
                    if (method.getName().equals("giveBack") && lost.compareAndSet(false, true)) {
                        throw new ExternalFailureException(Origin.POSTGRESQL, "the connection was lost", null);
                    }
                    return method.invoke(lanes, args);
                });
        outbox.enqueuer(lanes.membership(), losing, outbox.publisher(Map.of())).start();
        Eventually.until("the first owns all lanes", () -> lanesByOwner().equals(List.of(8L)));
        outbox.enqueuer().start();
        Eventually.until("they share", () -> lanesByOwner().equals(List.of(4L, 4L)));
        assertThat(lost).isTrue();
    }

    @Test
    void jobs_without_a_key_arrive_each_once_from_all_lanes() throws Exception {
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_name) SELECT ?, 'job.' || i FROM generate_series(1,"
                                + " 1000) AS i",
                        topic);
        outbox.enqueuer().start();
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        List<ConsumerRecord<byte[], byte[]>> records = outbox.read(topic);
        Set<String> names = records.stream()
                .map(record -> Outbox.header(record, "ce_type"))
                .collect(Collectors.toCollection(HashSet::new));
        assertThat(records).hasSize(1000).allSatisfy(record -> {
            assertThat(record.key()).isNull();
            assertThat(record.value()).isNull();
        });
        assertThat(names).hasSize(1000);
    }

    @Test
    void a_writer_that_stays_open_is_published_after_its_commit_and_delays_nobody() throws Exception {
        try (Connection slow = outbox.transaction()) {
            Outbox.stage(slow, topic, "k", "late");
            outbox.enqueuer().start();
            for (int i = 0; i < 20; i++) {
                outbox.stage(topic, "k", "prompt");
            }
            Eventually.until("the others are published", () -> outbox.waiting() == 0);
            assertThat(outbox.namesIn(topic)).hasSize(20).containsOnly("prompt");
            slow.commit();
        }
        Eventually.until("the late one is published", () -> outbox.waiting() == 0);
        assertThat(outbox.namesIn(topic)).hasSize(21).endsWith("late");
    }
}
