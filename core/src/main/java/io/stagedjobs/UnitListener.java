package io.stagedjobs;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Receives every attempt of a unit of work, for meters and logs; {@link MicrometerUnitListener} keeps meters.
 *
 * <p><b>Transaction</b>: none; the attempt has ended and its connection is given back. <b>Threads</b>: called by the
 * thread of the unit, so an implementation is safe for use by many and does not wait for anything. <b>Failure</b>: what
 * it throws is logged and changes nothing for the unit.
 */
@FunctionalInterface
public interface UnitListener {

    void attempted(Attempt attempt);

    /**
     * One run of a unit's block in a transaction. A unit that joined another one has none of its own.
     *
     * @param unit the {@linkplain UnitOfWork#named name} of the unit
     * @param number which attempt of the unit it was, from 1
     * @param jobs how many staged jobs were committed with it, without those that {@link StagedJobs} wrote; 0 unless it
     *     was committed
     * @param duration from asking for a connection to giving it back
     * @param failure what made it fail, null if it was committed
     */
    record Attempt(
            String unit,
            int number,
            Outcome outcome,
            int jobs,
            Duration duration,
            @Nullable Throwable failure) {}

    /** What became of an attempt. */
    enum Outcome {
        /** Rows and jobs are stored. */
        COMMITTED,
        /**
         * A conflict with another transaction; rolled back, and the next attempt follows unless the thread is
         * interrupted.
         */
        RETRIED,
        /** A conflict, and no attempt is left; rolled back. */
        EXHAUSTED,
        /** What cannot be retried; rolled back. */
        FAILED,
        /** The connection was lost during COMMIT. */
        UNKNOWN
    }
}
