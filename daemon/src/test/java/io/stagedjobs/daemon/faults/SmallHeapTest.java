package io.stagedjobs.daemon.faults;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * What waits is much more than the memory of the enqueuer, whose heap is of 256 MB and which ends when that is used up.
 * The system property {@code faults.backlog} says how many jobs wait. Prints how long the drain took.
 */
@Tag("long")
class SmallHeapTest {

    private static final int BACKLOG = Integer.getInteger("faults.backlog", 1_000_000);
    private static final int STAGED_TOGETHER = 100_000;
    private static final int KEYS = 5_000;

    private static final int LARGE = 300;
    private static final int LARGE_BYTES = 5_000_000;

    private static final String PUBLISHED = "staged_jobs_published_total";
    private static final String FAILED = "staged_jobs_failures_total";
    private static final String COLLECTING = "jvm_gc_pause_seconds_sum";

    private TestOutbox outbox;
    private Map<String, String> environment;

    @BeforeEach
    void open() {
        outbox = new TestOutbox("heap");
        environment = Command.with(Command.environment(outbox), "STAGED_JOBS_DELIVERY", "exactly-once");
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    @Test
    void a_backlog_of_many_jobs_drains_with_a_small_heap_each_once_and_in_order() throws Exception {
        String topic = outbox.kafka.newTopic("backlog", 3);
        for (int first = 1; first <= BACKLOG; first += STAGED_TOGETHER) {
            stage(topic, first, Math.min(BACKLOG, first + STAGED_TOGETHER - 1));
        }
        long begun = System.nanoTime();
        Command.Daemon daemon = new Command.Daemon(outbox, "enqueuer", environment);
        double[] seconds = new double[101];
        for (int percent = 1; percent <= 100; percent++) {
            awaitPublished(daemon, (long) BACKLOG * percent / 100);
            seconds[percent] = (System.nanoTime() - begun) / 1e9;
        }
        System.out.printf(
                "%d jobs drained in %.1f s with the enqueuer's start, %.0f a second, the first tenth %.0f, the last"
                        + " %.0f; %s%n",
                BACKLOG,
                seconds[100],
                BACKLOG / seconds[100],
                BACKLOG / 10 / (seconds[10] - seconds[0]),
                BACKLOG / 10 / (seconds[100] - seconds[90]),
                effort(daemon));
        assertThat(outbox.waiting()).isZero();

        BitSet seen = new BitSet();
        Map<String, Integer> last = new HashMap<>();
        outbox.kafka.readEach(List.of(topic), record -> {
            int number = number(record);
            String key = new String(record.key(), UTF_8);
            Integer before = last.put(key, number);
            assertThat(seen.get(number)).as("%d was there before", number).isFalse();
            assertThat(before == null || before < number)
                    .as("%d after %s of key %s", number, before, key)
                    .isTrue();
            seen.set(number);
        });
        assertThat(seen.cardinality()).isEqualTo(BACKLOG);
        assertThat(seen.length()).as("the last number, and one").isEqualTo(BACKLOG + 1);
    }

    @Test
    void payloads_larger_than_a_batch_drain_with_a_small_heap() throws Exception {
        assertThat(Command.run(environment, "migrate", "--payload-max", "" + LARGE_BYTES)
                        .exitCode())
                .isZero();
        int recordBytesMax = LARGE_BYTES + 100_000;
        String topic = "large-" + outbox.database.name();
        outbox.kafka.createTopic(topic, 3, Map.of("max.message.bytes", "" + recordBytesMax));
        for (int number = 1; number <= LARGE; number++) {
            stageLarge(topic, number);
        }
        long begun = System.nanoTime();
        Command.Daemon daemon = new Command.Daemon(
                outbox,
                "enqueuer",
                Command.with(
                        environment,
                        "STAGED_JOBS_KAFKA_MAX_REQUEST_SIZE",
                        "" + recordBytesMax,
                        "STAGED_JOBS_PUBLISH_TIMEOUT", // the broker shares a busy machine with all of us
                        "30s"));
        for (int published = 1; published <= LARGE; published++) {
            awaitPublished(daemon, published);
        }
        System.out.printf(
                "%d jobs of %d bytes drained in %.1f s with the enqueuer's start; %s%n",
                LARGE, LARGE_BYTES, (System.nanoTime() - begun) / 1e9, effort(daemon));

        BitSet seen = new BitSet();
        outbox.kafka.readEach(List.of(topic), record -> {
            int number = number(record);
            assertThat(seen.get(number)).as("%d was there before", number).isFalse();
            assertThat(Arrays.equals(record.value(), payload(number)))
                    .as("payload of %d", number)
                    .isTrue();
            seen.set(number);
        });
        assertThat(seen.cardinality()).isEqualTo(LARGE);
        assertThat(outbox.waiting()).isZero();
        assertThat(outbox.aside()).isEmpty();
    }

    private void stage(String topic, int first, int last) {
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, (n % ?)::text, n::text, convert_to(rpad('', 200, md5(n::text)), 'UTF8')"
                                + " FROM generate_series(?, ?) AS seq (n) ORDER BY seq.n",
                        topic, KEYS, first, last);
    }

    private void stageLarge(String topic, int number) throws Exception {
        try (Connection connection = outbox.database.connect();
                PreparedStatement insert = connection.prepareStatement(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, ?, ?)")) {
            insert.setString(1, topic);
            insert.setString(2, "key " + number);
            insert.setString(3, "" + number);
            insert.setBytes(4, payload(number));
            insert.executeUpdate();
        }
    }

    /** Random bytes, which nothing on the way can make smaller. */
    private static byte[] payload(int number) {
        byte[] bytes = new byte[LARGE_BYTES];
        new Random(number).nextBytes(bytes);
        return bytes;
    }

    private static int number(ConsumerRecord<byte[], byte[]> record) {
        return Integer.parseInt(TestOutbox.header(record, "ce_type"));
    }

    private static void awaitPublished(Command.Daemon daemon, long jobs) throws Exception {
        Eventually.until(
                jobs + " jobs are published", () -> daemon.metric(PUBLISHED).orElse(0) >= jobs);
    }

    private static String effort(Command.Daemon daemon) throws Exception {
        return "%.1f s of it collecting garbage, %.0f failed steps"
                .formatted(
                        daemon.metric(COLLECTING).orElse(0),
                        daemon.metric(FAILED).orElse(0));
    }
}
