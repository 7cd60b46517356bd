package io.stagedjobs;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Receives every attempt of a unit of work, for meters and logs; {@link MicrometerUnitListener} keeps meters.
 *
 * <p><b>Transaction</b>: none; the attempt has ended and returned its connection. <b>Threads</b>: the unit's thread
 * calls it, so an implementation must be thread-safe and must not block. <b>Failure</b>: exceptions are logged and do
 * not affect the unit.
 */
@FunctionalInterface
public interface UnitListener {

    void attempted(Attempt attempt);

    /**
     * One run of a unit's block in a transaction. A unit that joined another one has none of its own.
     *
     * @param unit the {@linkplain UnitOfWork#named name} of the unit
     * @param number which attempt of the unit it was, from 1
     * @param jobs the number of staged jobs that it committed, without those that {@link StagedJobs} wrote; 0 unless it
     *     was committed
     * @param duration from asking for a connection to giving it back
     * @param failure its failure, null if it was committed
     */
    record Attempt(
            String unit,
            int number,
            Outcome outcome,
            int jobs,
            Duration duration,
            @Nullable Throwable failure) {}

    /** The outcome of an attempt. */
    enum Outcome {
        /** Rows and jobs are stored. */
        COMMITTED,
        /**
         * A conflict with another transaction; rolled back. The next attempt follows unless the thread is interrupted.
         */
        RETRIED,
        /** A conflict, and no attempt is left; rolled back. */
        EXHAUSTED,
        /** A failure that cannot be retried; rolled back. */
        FAILED,
        /** The connection was lost during COMMIT. */
        UNKNOWN
    }
}
