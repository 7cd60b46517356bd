package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Read;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The port to the lanes in PostgreSQL, for owners that move jobs. Each method is one transaction of its own, except
 * that {@link #begin} and {@link #claim} leave theirs open. All throw {@link ExternalFailureException} if the database
 * does not answer or refuses. Thread-safe.
 */
public interface Lanes {

    /**
     * Takes a lane that is free, ours or owned by a dead enqueuer.
     *
     * @return the new generation and the channel, which is not read earlier; empty if another live enqueuer owns the
     *     lane
     */
    Optional<Taken> take(int lane);

    /** Frees the lane if this generation still owns it. */
    void giveBack(int lane, long generation);

    /**
     * Reads the last id drawn, then the transactions that may still commit an id up to it. The drawn ids are on
     * PostgreSQL's disk, so that no id comes again after a crash.
     */
    Reading readHorizon();

    /**
     * Begins a transaction and locks the lane in it.
     *
     * @return empty, without an open transaction, if the lane has another generation
     */
    Optional<LaneTransaction> begin(int lane, long generation);

    /**
     * Claims the lane's next jobs: begins a transaction, locks the lane if a job may wait or if the owner's knowledge
     * is out of date, and then reads. While no job waits it locks and writes nothing.
     *
     * @param era the era in which the criteria hold; a claim in another era succeeds too, and the caller must check
     */
    ClaimResult claim(int lane, long generation, String era, ReadCriteria criteria);

    /**
     * Reads the jobs after those in hand, without a lock, in a transaction of its own. Use the result only for the
     * owner's next batch, under a lock of the lane.
     *
     * @param without the jobs in hand, in id order, that the same criteria found
     * @return empty if the server has another era, or one of the criteria's exceptions is over
     */
    Optional<Read> readAhead(int lane, String era, ReadCriteria criteria, List<Job> without);

    /**
     * See {@link #take}.
     *
     * @param channel the lane's channel; an older generation can no longer change it
     */
    record Taken(long generation, int channel) {}

    /**
     * See {@link #readHorizon}.
     *
     * @param era identifies the running server and the sequence; it changes after a restart or a failover, and when ids
     *     begin anew
     * @param writers the open transactions that have locked the table as an insert does
     */
    record Reading(String era, long lastId, Set<String> writers) {}
}
