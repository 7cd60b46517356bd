package io.stagedjobs.enqueuer;

import java.time.Duration;

/**
 * How many jobs a lane puts into its next batch: so many that Kafka takes them within a share of the time that a batch
 * has, whatever makes Kafka slow. A batch that Kafka did not take is tried again with half as many jobs, down to one.
 * One thread.
 */
final class BatchSize {

    /** A batch is to take at most this part of its time, since the next one may meet a slower moment. */
    private static final int PART_OF_TIME = 4;

    private final BatchLimits most;
    private final Duration timeAimedAt;
    private int rowsMax;

    /** @param time that a batch has before it is taken back */
    BatchSize(BatchLimits most, Duration time) {
        this.most = most;
        this.timeAimedAt = time.dividedBy(PART_OF_TIME);
        this.rowsMax = most.rowsMax();
    }

    BatchLimits next() {
        return new BatchLimits(rowsMax, most.bytesMax());
    }

    /** @param took the time from the step's beginning to its end */
    void after(Step step, Duration took) {
        int claimed = Math.min(step.claimed(), rowsMax);
        if (claimed == 0) {
            return;
        }
        if (step.kind() == Step.Kind.FAILED) {
            rowsMax = Math.max(1, claimed / 2);
        } else if (took.compareTo(timeAimedAt) > 0) {
            rowsMax = Math.max(1, (int) (claimed * timeAimedAt.toNanos() / took.toNanos()));
        } else {
            rowsMax = (int) Math.min(most.rowsMax(), 2L * rowsMax);
        }
    }
}
