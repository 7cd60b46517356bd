package io.stagedjobs.daemon.faults;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A topic that is missing while a million jobs are staged for it; prints how fast another topic flows meanwhile. */
@Tag("long")
class MillionHeldTest {

    private static final int HELD = 1_000_000;
    private static final int OTHERS = 200_000;
    private static final int KEYS = 5_000;

    private TestOutbox outbox;
    private String topic;
    private String missing;

    @BeforeEach
    void open() {
        outbox = new TestOutbox("million");
        topic = outbox.kafka.newTopic("million", 3);
        missing = topic + ".missing";
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private void stage(String topic, int jobs) {
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, (n % ?)::text, n::text, convert_to(rpad('', 200, 'x'), 'UTF8')"
                                + " FROM generate_series(1, ?) AS seq (n) ORDER BY seq.n",
                        topic, KEYS, jobs);
    }

    /** Stages jobs of the topic that exists; returns the seconds until none of them waits. */
    private double drainOthers() throws Exception {
        stage(topic, OTHERS);
        long begun = System.nanoTime();
        Eventually.until("the others are published", () -> outbox.dsl()
                .fetchSingle("SELECT NOT EXISTS (SELECT FROM staged_jobs WHERE topic = ?)", topic)
                .get(0, boolean.class));
        return (System.nanoTime() - begun) / 1e9;
    }

    private long held() {
        return outbox.dsl().fetchSingle("SELECT count(*) FROM parked_jobs").get(0, long.class);
    }

    @Test
    void a_million_held_jobs_do_not_keep_another_topic_from_flowing_and_return_each_once_and_in_order()
            throws Exception {
        new Command.Daemon(
                outbox, "enqueuer", Command.with(Command.environment(outbox), "STAGED_JOBS_DELIVERY", "exactly-once"));
        drainOthers(); // warms up
        double clean = drainOthers();
        long begun = System.nanoTime();
        stage(missing, HELD);
        double meanwhile = drainOthers();
        Eventually.until("a million is held", Duration.ofMinutes(15), () -> held() == HELD);
        double moved = (System.nanoTime() - begun) / 1e9;
        double withHeld = drainOthers();

        outbox.kafka.createTopic(missing, 3);
        long created = System.nanoTime();
        System.out.printf(
                "%d jobs of another topic: %.1f s clean, %.1f s while a million jobs are moved aside, %.1f s with a"
                        + " million held (%.2f of the clean speed); held %.1f s after the first was staged%n",
                OTHERS, clean, meanwhile, withHeld, clean / withHeld, moved);
        Eventually.until(
                "they return and are published", Duration.ofMinutes(15), () -> held() == 0 && outbox.waiting() == 0);
        System.out.printf("published %.1f s after their topic was created%n", (System.nanoTime() - created) / 1e9);

        Map<String, Integer> last = new HashMap<>();
        int records = 0;
        for (ConsumerRecord<byte[], byte[]> record : outbox.read(missing)) {
            int number = Integer.parseInt(TestOutbox.header(record, "ce_type"));
            Integer before = last.put(new String(record.key(), UTF_8), number);
            assertThat(before == null || before == number - KEYS)
                    .as("%d after %s of its key", number, before)
                    .isTrue();
            records++;
        }
        assertThat(records).isEqualTo(HELD);
        assertThat(last).hasSize(KEYS);
    }
}
