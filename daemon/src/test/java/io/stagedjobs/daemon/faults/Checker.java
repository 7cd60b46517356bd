package io.stagedjobs.daemon.faults;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Knows what was staged and committed, and compares it with what a {@code read_committed} reader finds.
 *
 * <p>The jobs of each topic and key are numbered from 0 in the order in which they were staged; the number is the job's
 * name and part of its payload. Everything here goes to the servers directly, past any proxy.
 */
final class Checker {

    /** The jobs of one key of one topic. */
    record Sequence(String topic, String key) {}

    private static final String ROLLED_BACK = "rolled back";

    private final TestOutbox outbox;
    private final List<String> topics;
    private final Map<Sequence, Integer> staged = new HashMap<>();

    Checker(TestOutbox outbox, String... topics) {
        this.outbox = outbox;
        this.topics = List.of(topics);
    }

    /** Stages the next jobs of the keys 1 to {@code keys} in every topic, beside some that are rolled back. */
    void stage(int keys, int jobsOfEachKey) throws SQLException {
        try (Connection connection = outbox.transaction()) {
            for (String topic : topics) {
                insert(connection, topic, keys, 0, 1, ROLLED_BACK);
            }
            connection.rollback();
            stage(connection, "", keys, jobsOfEachKey);
            connection.commit();
        }
    }

    /** As {@link #stage(int, int)}, in a transaction that the caller commits later. Its keys must be nobody else's. */
    void stage(Connection connection, String prefix, int keys, int jobsOfEachKey) throws SQLException {
        for (String topic : topics) {
            int first = staged.getOrDefault(new Sequence(topic, prefix + 1), 0);
            insert(connection, topic, keys, first, jobsOfEachKey, prefix);
            for (int key = 1; key <= keys; key++) {
                staged.put(new Sequence(topic, prefix + key), first + jobsOfEachKey);
            }
        }
    }

    private static void insert(Connection connection, String topic, int keys, int first, int jobs, String prefix)
            throws SQLException {
        try (PreparedStatement insert =
                connection.prepareStatement("INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                        + " SELECT ?, ? || k, n, convert_to(? || k || ':' || n, 'UTF8')"
                        + " FROM generate_series(?, ?) AS n, generate_series(1, ?) AS k ORDER BY n, k")) {
            insert.setString(1, topic);
            insert.setString(2, prefix);
            insert.setString(3, prefix);
            insert.setInt(4, first);
            insert.setInt(5, first + jobs - 1);
            insert.setInt(6, keys);
            insert.executeUpdate();
        }
    }

    String[] topics() {
        return topics.toArray(String[]::new);
    }

    /** Waits until no job waits any more; returns how long that took. */
    Duration awaitDrained() throws Exception {
        long begun = System.nanoTime();
        Command.awaitDrained(outbox);
        return Duration.ofNanos(System.nanoTime() - begun);
    }

    /** Waits until nothing waits; then every committed job has been read exactly once, and each key in order. */
    void assertExactlyOnce() throws Exception {
        awaitDrained();
        Map<Sequence, List<Integer>> read = read();
        assertThat(read.keySet()).isEqualTo(staged.keySet());
        for (Map.Entry<Sequence, List<Integer>> each : read.entrySet()) {
            assertThat(each.getValue())
                    .as("numbers of %s", each.getKey())
                    .isEqualTo(IntStream.range(0, staged.get(each.getKey()))
                            .boxed()
                            .toList());
        }
    }

    /**
     * Waits until nothing waits; then every committed job has been read. Returns how many records were one too many.
     */
    int assertAtLeastOnce() throws Exception {
        awaitDrained();
        Map<Sequence, List<Integer>> read = read();
        assertThat(read.keySet()).isEqualTo(staged.keySet());
        int duplicates = 0;
        for (Map.Entry<Sequence, List<Integer>> each : read.entrySet()) {
            Set<Integer> once = new HashSet<>(each.getValue());
            assertThat(once)
                    .as("numbers of %s", each.getKey())
                    .isEqualTo(new HashSet<>(IntStream.range(0, staged.get(each.getKey()))
                            .boxed()
                            .toList()));
            duplicates += each.getValue().size() - once.size();
        }
        return duplicates;
    }

    /** The longest time between staging and publishing among the records of a topic that were staged from then on. */
    Duration longestDelay(String topic, Instant stagedFrom) {
        return outbox.read(topic).stream()
                .filter(record ->
                        !Instant.parse(TestOutbox.header(record, "ce_time")).isBefore(stagedFrom))
                .map(record -> Duration.between(
                        Instant.parse(TestOutbox.header(record, "ce_time")), Instant.ofEpochMilli(record.timestamp())))
                .max(Comparator.naturalOrder())
                .orElseThrow();
    }

    private Map<Sequence, List<Integer>> read() {
        Map<Sequence, List<Integer>> numbers = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : outbox.read(topics())) {
            String key = new String(record.key(), UTF_8);
            String number = TestOutbox.header(record, "ce_type");
            assertThat(new String(record.value(), UTF_8)).as("payload").isEqualTo(key + ":" + number);
            numbers.computeIfAbsent(new Sequence(record.topic(), key), sequence -> new ArrayList<>())
                    .add(Integer.valueOf(number));
        }
        return numbers;
    }
}
