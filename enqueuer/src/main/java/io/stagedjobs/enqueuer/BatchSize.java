package io.stagedjobs.enqueuer;

import java.time.Duration;

/**
 * The number of jobs in a lane's next batch, chosen so that Kafka takes them within a share of a batch's time, however
 * slow Kafka is. After a batch that Kafka did not take, the next has half as many jobs, down to one. One thread.
 */
final class BatchSize {

    /** A batch should take at most this part of its time, since Kafka may be slower for the next one. */
    private static final int PART_OF_TIME = 4;

    private final BatchLimits most;
    private final Duration timeAimedAt;
    private int rowsMax;

    /** @param time the time after which a batch is rolled back */
    BatchSize(BatchLimits most, Duration time) {
        this.most = most;
        this.timeAimedAt = time.dividedBy(PART_OF_TIME);
        this.rowsMax = most.rowsMax();
    }

    BatchLimits next() {
        return new BatchLimits(rowsMax, most.bytesMax());
    }

    /** @param took the duration of the step */
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
