package io.stagedjobs.enqueuer.diagnosis;

import java.time.Duration;

/**
 * From where on something is worth telling.
 *
 * @param writer how long a transaction that wrote jobs may be open
 * @param snapshot how long anybody may keep an old snapshot
 * @param deadRows how many rows may wait for vacuum
 * @param skew how far two clocks may be apart
 */
public record Thresholds(Duration writer, Duration snapshot, long deadRows, Duration skew) {

    /** Ten times the dead rows at which the tables' autovacuum begins. */
    public static final Thresholds DEFAULT =
            new Thresholds(Duration.ofSeconds(10), Duration.ofMinutes(5), 100_000, Duration.ofSeconds(2));
}
