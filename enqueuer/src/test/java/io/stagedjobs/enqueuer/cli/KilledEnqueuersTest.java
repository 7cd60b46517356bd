package io.stagedjobs.enqueuer.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Eventually;
import io.stagedjobs.enqueuer.Outbox;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Enqueuers of the mode exactly-once that are killed again and again while they publish. */
class KilledEnqueuersTest {

    private static final int KILLS = 6;
    private static final int KEYS = 500;
    private static final int JOBS_OF_A_KEY = 180;

    private Outbox outbox;
    private String topic;

    @BeforeEach
    void open() {
        outbox = new Outbox("killed");
        topic = outbox.kafka.newTopic("killed", 6);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    @Test
    void every_job_arrives_once_and_in_the_order_of_its_key() throws Exception {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Map<String, String> environment =
                Command.with(Command.environment(outbox), "STAGED_JOBS_DELIVERY", "exactly-once");
        List<Command.Daemon> daemons = new ArrayList<>(List.of(
                new Command.Daemon(outbox, "enqueuer-a", environment),
                new Command.Daemon(outbox, "enqueuer-b", environment)));
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

        Map<String, List<String>> namesByKey = outbox.read(topic).stream()
                .collect(Collectors.groupingBy(
                        record -> new String(record.key(), UTF_8),
                        Collectors.mapping(record -> Outbox.header(record, "ce_type"), Collectors.toList())));
        List<String> inOrder =
                IntStream.range(0, JOBS_OF_A_KEY).mapToObj(n -> "job." + n).toList();
        assertThat(namesByKey).as("seed %d", seed).hasSize(KEYS);
        assertThat(namesByKey.values()).as("seed %d", seed).allSatisfy(names -> assertThat(names)
                .isEqualTo(inOrder));
    }

    /** The next share of each key's jobs, in order. */
    private void stage(int share) {
        int jobs = JOBS_OF_A_KEY / KILLS;
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, k::text, 'job.' || n, '{}' FROM generate_series(?, ?) AS n, generate_series(1, ?) AS k"
                                + " ORDER BY n",
                        topic,
                        share * jobs,
                        (share + 1) * jobs - 1,
                        KEYS);
    }
}
