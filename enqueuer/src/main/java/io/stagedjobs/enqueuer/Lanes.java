package io.stagedjobs.enqueuer;

import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The port to the lanes in PostgreSQL, for who owns one and moves its jobs. Each method is one transaction of its own,
 * except that {@link #begin} leaves its transaction open. All throw {@link OutsideException} when the database does not
 * answer or refuses. Safe for use by many threads.
 */
public interface Lanes {

    /**
     * Takes a lane that is free, ours or owned by an enqueuer that lives no more.
     *
     * @return the new generation, empty if another live enqueuer owns the lane
     */
    OptionalLong take(int lane);

    /** Frees the lane if that generation still owns it. */
    void giveBack(int lane, long generation);

    /**
     * In which of these lanes a job may wait behind the start, or the owner's memory is not to be relied on: the lane has another
     * generation, the era is another one, or one of the exceptions is over. Reads without any lock.
     *
     * @param resting by lane
     */
    Set<Integer> waiting(Map<Integer, Start> resting);

    /**
     * Reads the last id drawn, then who may still commit one up to it. What was drawn is on PostgreSQL's disk, so that no crash
     * makes an id come again.
     */
    Reading readHorizon();

    /**
     * Begins a transaction and locks the lane in it.
     *
     * @return empty, with nothing left open, if the lane has another generation
     */
    Optional<LaneTransaction> begin(int lane, long generation);

    /**
     * Where to look for a lane's jobs.
     *
     * @param generation of whose memory this is
     * @param era of which the rest is true
     * @param after the id after which jobs may lie
     * @param exceptions transactions whose end would let jobs appear below
     */
    record Start(long generation, String era, long after, Set<String> exceptions) {}

    /**
     * See {@link #readHorizon}.
     *
     * @param era names the running server and the life of the sequence: another one after a restart or a failover, and when
     *     ids begin anew
     * @param writers the open transactions that have locked the table as an insert does
     */
    record Reading(String era, long lastId, Set<String> writers) {}
}
