package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Enqueuers of the mode exactly-once that are killed again and again while they publish. The system properties
 * {@code faults.kills}, {@code faults.keys}, {@code faults.jobs} (of each key) and {@code faults.seed} make a longer
 * run, or the same one again; docs/guarantees.md has the command.
 */
class KilledEnqueuersTest {

    private static final int KILLS = Integer.getInteger("faults.kills", 4);
    private static final int KEYS = Integer.getInteger("faults.keys", 500);
    private static final int JOBS_OF_A_KEY = Integer.getInteger("faults.jobs", 60);
    private static final int ENQUEUERS = 3;

    private TestOutbox outbox;
    private String topic;

    @BeforeEach
    void open() {
        outbox = new TestOutbox("killed");
        topic = outbox.kafka.newTopic("killed", 6);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    @Test
    void every_job_arrives_once_and_in_the_order_of_its_key() throws Exception {
        long seed = Long.getLong("faults.seed", System.nanoTime());
        Random random = new Random(seed);
        Map<String, String> environment =
                Command.with(Command.environment(outbox), "STAGED_JOBS_DELIVERY", "exactly-once");
        List<Command.Daemon> daemons = new ArrayList<>();
        for (int i = 0; i < ENQUEUERS; i++) {
            daemons.add(new Command.Daemon(outbox, "enqueuer-of-the-start-" + i, environment));
        }
        for (int kill = 0; kill < KILLS; kill++) {
            stage(kill);
            long waiting = outbox.waiting();
            long enough = 1 + (long) (waiting * random.nextDouble());
            Eventually.until("some of them are published", () -> outbox.waiting() <= waiting - enough);
            int victim = random.nextInt(daemons.size());
            daemons.get(victim).process.kill();
            daemons.set(victim, new Command.Daemon(outbox, "enqueuer-" + kill, environment));
        }
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);

        List<ConsumerRecord<byte[], byte[]>> records = outbox.read(topic);
        Map<String, List<Integer>> numbersByKey = records.stream()
                .collect(Collectors.groupingBy(
                        record -> new String(record.key(), UTF_8),
                        Collectors.mapping(
                                record -> Integer.valueOf(TestOutbox.header(record, "ce_type")), Collectors.toList())));
        System.out.printf(
                "%d SIGKILLs, %d jobs staged, %d records read, seed %d%n",
                KILLS, KEYS * JOBS_OF_A_KEY, records.size(), seed);
        List<Integer> inOrder = IntStream.range(0, JOBS_OF_A_KEY).boxed().toList();
        assertThat(numbersByKey).as("seed %d", seed).hasSize(KEYS);
        assertThat(numbersByKey.values()).as("seed %d", seed).allSatisfy(numbers -> assertThat(numbers)
                .isEqualTo(inOrder));
    }

    /** The next share of each key's jobs, in order. */
    private void stage(int share) {
        int first = share * JOBS_OF_A_KEY / KILLS;
        int last = (share + 1) * JOBS_OF_A_KEY / KILLS - 1;
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, k::text, seq.n::text, '{}' FROM generate_series(?, ?) AS seq (n),"
                                + " generate_series(1, ?) AS k ORDER BY seq.n",
                        topic,
                        first,
                        last,
                        KEYS);
    }
}
