package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.daemon.faults.Failpoints.Point;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Eventually;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * An enqueuer that is killed, or stopped and woken up, at each named point of a batch, beside another one that lives
 * on.
 */
class NamedPointsTest {

    private static final int KEYS = 40;
    private static final int JOBS = 800;
    private static final Pattern STARTED = Pattern.compile("enqueuer started");
    private static final Pattern STANDING = Pattern.compile("standing at");

    @TempDir
    Path directory;

    private TestOutbox outbox;
    private String topic;

    @BeforeEach
    void open() {
        outbox = new TestOutbox("points");
        topic = outbox.kafka.newTopic("points", 3);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private Map<String, String> environment(String delivery) {
        return Command.with(
                Command.environment(outbox),
                "STAGED_JOBS_DELIVERY",
                delivery,
                "STAGED_JOBS_BATCH_SIZE",
                "50",
                Failpoints.INTERCEPTOR_VARIABLE,
                Failpoints.Interceptor.class.getName());
    }

    private ChildProcess victim(String delivery) {
        ChildProcess victim = outbox.keep(ChildJvm.start(
                "victim",
                Failpoints.class.getName(),
                Failpoints.jvmArgs(directory),
                List.of("run"),
                environment(delivery)));
        victim.awaitLine(STARTED, Duration.ofSeconds(60));
        return victim;
    }

    private void stage(int from, int to) {
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, (n % ?)::text, n::text, '{}' FROM generate_series(?::int, ?::int) AS"
                                + " seq (n) ORDER BY seq.n",
                        topic, KEYS, from, to - 1);
    }

    /** Runs the victim up to the point and gives it back, standing there with jobs in hand. */
    private ChildProcess standingAt(Point point, String delivery) throws Exception {
        ChildProcess victim = victim(delivery);
        stage(0, JOBS / 2);
        Eventually.until("the first jobs are published", () -> outbox.waiting() == 0);
        Failpoints.arm(directory, point);
        stage(JOBS / 2, JOBS);
        victim.awaitLine(STANDING, Duration.ofSeconds(60));
        return victim;
    }

    private List<Integer> numbers() {
        return outbox.namesIn(topic).stream().map(Integer::valueOf).toList();
    }

    private void assertExactlyOnceInOrder(int jobs) {
        List<Integer> numbers = numbers();
        assertThat(numbers)
                .containsExactlyInAnyOrderElementsOf(
                        IntStream.range(0, jobs).boxed().toList());
        for (int key = 0; key < KEYS; key++) {
            int ofKey = key;
            assertThat(numbers.stream().filter(number -> number % KEYS == ofKey))
                    .isSorted();
        }
    }

    /** One after the other: whoever takes over is the next one to be killed. */
    @Test
    void killed_at_each_point_nothing_is_lost_and_nothing_comes_twice() throws Exception {
        ChildProcess victim = victim("exactly-once");
        int staged = 0;
        for (Point point : Point.values()) {
            stage(staged, staged + JOBS / 2);
            Eventually.until("the first jobs are published", () -> outbox.waiting() == 0);
            Failpoints.arm(directory, point);
            stage(staged + JOBS / 2, staged + JOBS);
            victim.awaitLine(STANDING, Duration.ofSeconds(60));
            victim.kill();
            victim = victim("exactly-once");
            Eventually.until("nothing waits after " + point, () -> outbox.waiting() == 0);
            staged += JOBS;
        }
        assertExactlyOnceInOrder(staged);
    }

    @Tag("long")
    @ParameterizedTest
    @EnumSource(Point.class)
    void stopped_at_a_point_it_is_relieved_and_shows_nothing_when_it_goes_on(Point point) throws Exception {
        ChildProcess victim = standingAt(point, "exactly-once");
        victim.suspend();
        new Command.Daemon(
                outbox, "heir", Command.with(environment("exactly-once"), Failpoints.INTERCEPTOR_VARIABLE, ""));
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        Failpoints.release(directory);
        victim.resume();
        Eventually.until(
                "the zombie is back among the living",
                () -> outbox.dsl()
                                .fetchSingle("SELECT count(DISTINCT owner) FROM staged_job_lanes")
                                .get(0, long.class)
                        == 2);
        assertExactlyOnceInOrder(JOBS);
    }

    @Tag("long")
    @ParameterizedTest
    @EnumSource(
            value = Point.class,
            mode = EnumSource.Mode.EXCLUDE,
            names = {"K4_ALL_SENT", "K5_PROGRESS_SENT"})
    void killed_at_a_point_in_at_least_once_at_most_one_batch_comes_again(Point point) throws Exception {
        ChildProcess victim = standingAt(point, "at-least-once");
        victim.kill();
        new Command.Daemon(
                outbox, "heir", Command.with(environment("at-least-once"), Failpoints.INTERCEPTOR_VARIABLE, ""));
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        List<Integer> numbers = numbers();
        assertThat(new HashSet<>(numbers)).hasSize(JOBS);
        assertThat(numbers.size() - JOBS).as("repeated").isLessThanOrEqualTo(8 * 50); // a batch a lane
    }
}
