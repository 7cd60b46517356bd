package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * The objects that the lanes of one process share. Thread-safe.
 *
 * @param limits the limits of a batch while Kafka takes batches in time
 * @param publishTimeout how long a batch may wait for Kafka
 * @param background reads the next batch while Kafka has one
 * @param nanoTime the process's monotonic clock
 */
record LaneContext(
        BatchLimits limits,
        Duration publishTimeout,
        OperatorPauses pauses,
        CommitHorizon horizon,
        HeldTopics heldTopics,
        LaneReader.Background background,
        LongSupplier nanoTime) {}
