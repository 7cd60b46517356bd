package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.LaneTransaction.Deleted;
import io.stagedjobs.enqueuer.Step.Kind;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class PaceTest {

    private static final Duration INTERVAL = Duration.ofMillis(8);
    private static final Duration LOOK_MAX = Duration.ofMillis(250);

    private final AtomicLong now = new AtomicLong();
    private final Pace pace = new Pace(new Pace.Intervals(INTERVAL, LOOK_MAX), now::get, new Random(1));

    private Duration after(Step step, Duration took) {
        pace.stepBegins();
        now.addAndGet(took.toNanos());
        return pace.after(step);
    }

    private static Step moved(boolean moreWaits) {
        return Step.moved(new Step.Settled(
                new Batch(1, List.of()),
                new Outcome(List.of(), Map.of(), Map.of(), null),
                List.of(),
                new Deleted(0, Instant.EPOCH),
                moreWaits));
    }

    @Test
    void a_backlog_is_not_kept_waiting() {
        assertThat(after(moved(true), Duration.ofMillis(1))).isZero();
        assertThat(after(Step.of(Kind.MOVED), Duration.ofMillis(1))).isZero();
    }

    @Test
    void few_jobs_wait_for_the_rest_of_the_interval() {
        assertThat(after(moved(false), Duration.ofMillis(2))).isEqualTo(Duration.ofMillis(6));
    }

    @Test
    void few_jobs_wait_twice_as_long_as_the_batch_before_took_but_three_intervals_at_most() {
        assertThat(after(moved(false), Duration.ofMillis(5))).isEqualTo(Duration.ofMillis(10));
        assertThat(after(moved(false), Duration.ofMillis(300))).isEqualTo(INTERVAL.multipliedBy(3));
    }

    @Test
    void looks_come_less_often_the_longer_nothing_came() {
        after(moved(false), Duration.ofMillis(8));
        assertThat(after(Step.of(Kind.IDLE), Duration.ofMillis(1))).isEqualTo(Duration.ofMillis(7));
        now.addAndGet(Duration.ofMillis(398).toNanos());
        assertThat(after(Step.of(Kind.IDLE), Duration.ofMillis(1))).isEqualTo(Duration.ofMillis(100));
        now.addAndGet(Duration.ofMinutes(1).toNanos());
        assertThat(after(Step.of(Kind.IDLE), Duration.ofMillis(1))).isEqualTo(LOOK_MAX);
    }

    @Test
    void failures_are_followed_by_longer_and_longer_rests_until_a_step_works() {
        for (int failures = 1; failures < 10; failures++) {
            long ceiling = Math.min(10_000, 200L << (failures - 1));
            assertThat(after(Step.failed(Origin.KAFKA, "away"), Duration.ZERO).toMillis())
                    .isBetween(ceiling / 2 - 1, ceiling);
            assertThat(pace.failures()).isEqualTo(failures);
        }
        after(Step.of(Kind.IDLE), Duration.ZERO);
        assertThat(pace.failures()).isZero();
    }

    @Test
    void whoever_was_superseded_rests_a_little_and_a_halted_lane_looks_every_ten_seconds() {
        assertThat(after(Step.of(Kind.SUPERSEDED), Duration.ZERO).toMillis()).isBetween(99L, 200L);
        assertThat(after(Step.halted("they differ"), Duration.ZERO)).isEqualTo(Duration.ofSeconds(10));
    }
}
