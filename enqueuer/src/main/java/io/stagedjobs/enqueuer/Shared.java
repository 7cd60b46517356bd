package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * What the lanes of one process share; safe for use by all their threads.
 *
 * @param limits of a batch while Kafka takes batches in time
 * @param publishTimeout how long a batch may wait for Kafka
 * @param background reads the next batch while Kafka has one
 * @param nanoTime the process's monotonic clock
 */
record Shared(
        BatchLimits limits,
        Duration publishTimeout,
        Pauses pauses,
        CommitHorizon horizon,
        HeldTopics heldTopics,
        LaneReader.Background background,
        LongSupplier nanoTime) {}
