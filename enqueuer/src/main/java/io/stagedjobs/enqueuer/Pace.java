package io.stagedjobs.enqueuer;

import io.stagedjobs.internal.Backoff;
import java.time.Duration;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/**
 * Decides how long a lane rests after a step. In a backlog it does not rest. While few jobs come, it rests until its
 * interval is over and twice as long as the batch took, so that a batch grows with the rate. While no jobs come, or
 * steps fail, it rests longer and longer. One thread.
 */
final class Pace {

    private static final Backoff FAILURES = new Backoff(Duration.ofMillis(200), Duration.ofSeconds(10));

    private static final Duration HALTED_LOOK_EVERY = Duration.ofSeconds(10);

    /** A rest is this many times as long as the batch took: decision 0032. */
    private static final int RESTS_PER_BATCH = 2;

    /** It is at most this many intervals, which limits the delay of a job. */
    private static final int INTERVALS_MAX = 3;

    /** While no jobs come, a rest is this fraction of the time since the last jobs, so it adds little delay. */
    private static final int PART_OF_SILENCE = 4;

    /**
     * Its durations.
     *
     * @param batchInterval least time between the beginnings of two batches while no backlog waits
     * @param lookMax longest time between two looks while no job waits
     */
    record Intervals(Duration batchInterval, Duration lookMax) {}

    private final Intervals intervals;
    private final LongSupplier nanoTime;
    private final RandomGenerator random;
    private long stepBegan;
    private long jobsCame;
    private int failures;

    Pace(Intervals intervals, LongSupplier nanoTime, RandomGenerator random) {
        this.intervals = intervals;
        this.nanoTime = nanoTime;
        this.random = random;
        this.stepBegan = nanoTime.getAsLong();
        this.jobsCame = stepBegan;
    }

    void stepBegins() {
        stepBegan = nanoTime.getAsLong();
    }

    /** The number of failed steps since the last successful one. */
    int failures() {
        return failures;
    }

    /** Records a step, and returns how long to rest. */
    Duration after(Step step) {
        failures = switch (step.kind()) {
            case FAILED -> failures + 1;
            case SUPERSEDED, HALTED, NOT_OURS -> failures;
            case MOVED, IDLE, BLOCKED -> 0;
        };
        return switch (step.kind()) {
            case MOVED -> afterMoved(step);
            case IDLE -> atMost(intervals.lookMax, longer(leftOfInterval(), silence()));
            case BLOCKED -> intervals.lookMax;
            case SUPERSEDED -> FAILURES.after(1, random); // so that owners do not take the lane from each other in turn
            case FAILED -> FAILURES.after(failures, random);
            case HALTED -> HALTED_LOOK_EVERY; // so that a repair needs no restart
            case NOT_OURS -> Duration.ZERO;
        };
    }

    private Duration afterMoved(Step step) {
        jobsCame = nanoTime.getAsLong();
        if (step.moreWaits()) {
            return Duration.ZERO;
        }
        Duration longest = intervals.batchInterval.multipliedBy(INTERVALS_MAX);
        return longer(leftOfInterval(), atMost(longest, took().multipliedBy(RESTS_PER_BATCH)));
    }

    /** The time since the step began. */
    Duration took() {
        return Duration.ofNanos(nanoTime.getAsLong() - stepBegan);
    }

    /** The rest of the interval. */
    private Duration leftOfInterval() {
        Duration left = intervals.batchInterval.minus(took());
        return left.isNegative() ? Duration.ZERO : left;
    }

    private Duration silence() {
        return Duration.ofNanos((nanoTime.getAsLong() - jobsCame) / PART_OF_SILENCE);
    }

    private static Duration longer(Duration one, Duration other) {
        return one.compareTo(other) > 0 ? one : other;
    }

    private static Duration atMost(Duration max, Duration duration) {
        return duration.compareTo(max) < 0 ? duration : max;
    }
}
