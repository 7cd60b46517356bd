package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.testkit.Eventually;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LookoutTest {

    private static final Duration PAUSE_MAX = Duration.ofMillis(100);

    private final Map<Integer, LaneRunner> runners = new HashMap<>();
    private final Map<Integer, Thread> threads = new HashMap<>();
    private final AtomicLong now = new AtomicLong();
    private Outbox outbox;
    private PostgresLanes lanes;
    private Lookout lookout;
    private String topic;

    @BeforeEach
    void open() {
        outbox = new Outbox("lookout");
        lanes = outbox.lanes();
        topic = outbox.kafka.newTopic("lookout", 1);
        lanes.membership().beat();
        lookout = new Lookout(lanes, () -> runners, PAUSE_MAX, outbox.pauses, now::get);
    }

    @AfterEach
    void close() throws Exception {
        runners.values().forEach(LaneRunner::stop);
        for (Thread thread : threads.values()) {
            thread.join();
        }
        outbox.close();
    }

    /** A lane that looks by itself every hour, and rests now. */
    private LaneRunner resting(int lane) throws Exception {
        LaneRunner runner = outbox.runner(
                lane,
                lanes,
                outbox.publisher(Map.of()),
                System::nanoTime,
                new BatchLimits(500, 1_000_000),
                Duration.ofHours(1));
        Thread thread = new Thread(runner);
        runners.put(lane, runner);
        threads.put(lane, thread);
        thread.start();
        Eventually.until("lane " + lane + " rests", () -> runner.resting().isPresent());
        return runner;
    }

    @Test
    void of_several_lanes_that_rest_only_those_in_which_jobs_wait_are_told() throws Exception {
        LaneRunner first = resting(1);
        LaneRunner second = resting(2);
        Lanes.Start before = first.resting().orElseThrow();
        outbox.stage(topic, outbox.keyOfLane(topic, 2), "job");
        lookout.lookOnce();
        Eventually.until("the job is published", () -> outbox.waiting() == 0);
        Eventually.until("its lane rests again", () -> second.resting().isPresent());
        assertThat(first.resting()).containsSame(before);
    }

    @Test
    void a_lane_is_told_of_what_else_its_memory_does_not_hold() throws Exception {
        resting(1);
        long generation = runners.get(1).resting().orElseThrow().generation();
        outbox.dsl().execute("UPDATE staged_job_lanes SET generation = generation + 1 WHERE lane = 1");
        lookout.lookOnce();
        Eventually.until("it has begun again", () -> runners.get(1)
                .resting()
                .filter(start -> start.generation() > generation)
                .isPresent());
    }

    @Test
    void it_looks_the_less_often_the_longer_nothing_was_found() throws Exception {
        resting(1);
        assertThat(lookout.lookOnce()).isEqualTo(Duration.ofMillis(2));
        now.addAndGet(Duration.ofMillis(400).toNanos());
        assertThat(lookout.lookOnce()).isEqualTo(Duration.ofMillis(50));
        now.addAndGet(Duration.ofMinutes(1).toNanos());
        assertThat(lookout.lookOnce()).isEqualTo(PAUSE_MAX);
        outbox.stage(topic, outbox.keyOfLane(topic, 1), "job");
        assertThat(lookout.lookOnce()).isEqualTo(Duration.ofMillis(2));
    }

    @Test
    void while_everything_is_paused_nobody_is_told() throws Exception {
        LaneRunner runner = resting(1);
        Lanes.Start before = runner.resting().orElseThrow();
        outbox.stage(topic, outbox.keyOfLane(topic, 1), "job");
        outbox.pauses.set(Set.of(Membership.ALL_TOPICS));
        lookout.lookOnce();
        outbox.pauses.set(Set.of());
        assertThat(runner.resting()).containsSame(before);
        lookout.lookOnce();
        Eventually.until("the job is published", () -> outbox.waiting() == 0);
    }

    @Test
    void a_look_that_fails_is_followed_by_longer_and_longer_pauses() {
        Lanes away = (Lanes) Proxy.newProxyInstance(
                Lanes.class.getClassLoader(), new Class<?>[] {Lanes.class}, (self, method, args) -> {
                    throw new OutsideException(OutsideException.Side.POSTGRESQL, "away", null);
                });
        LaneRunner runner = outbox.runner(1, lanes, outbox.publisher(Map.of()));
        runner.runOnce();
        runners.put(1, runner);
        Lookout failing = new Lookout(away, () -> runners, PAUSE_MAX, outbox.pauses, now::get);
        for (int failures = 1; failures < 10; failures++) {
            long ceiling = Math.min(10_000, 200L << (failures - 1));
            assertThat(failing.lookOnce().toMillis()).isBetween(ceiling / 2 - 1, ceiling);
        }
        runners.clear();
    }
}
