package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Read;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The port to the lanes in PostgreSQL, for who owns one and moves its jobs. Each method is one transaction of its own,
 * except that {@link #begin} and {@link #claim} leave theirs open. All throw {@link ExternalFailureException} when the
 * database does not answer or refuses. Safe for use by many threads.
 */
public interface Lanes {

    /**
     * Takes a lane that is free, ours or owned by an enqueuer that lives no more.
     *
     * @return the new generation and the channel, which is read not before; empty if another live enqueuer owns the
     *     lane
     */
    Optional<Taken> take(int lane);

    /** Frees the lane if that generation still owns it. */
    void giveBack(int lane, long generation);

    /**
     * Reads the last id drawn, then who may still commit one up to it. What was drawn is on PostgreSQL's disk, so that
     * no crash makes an id come again.
     */
    Reading readHorizon();

    /**
     * Begins a transaction and locks the lane in it.
     *
     * @return empty, with nothing left open, if the lane has another generation
     */
    Optional<LaneTransaction> begin(int lane, long generation);

    /**
     * Claims the lane's next jobs: begins a transaction, locks the lane if a job may wait or the owner's memory is not
     * true any more, and then reads. While nothing waits it locks and writes nothing.
     *
     * @param era of which the selection is true; the claim is granted in another one too, for the caller to find out
     */
    Claim claim(int lane, long generation, String era, Selection selection);

    /**
     * Reads the jobs that come after those in hand, without a lock, in a transaction of its own. The answer is good for
     * the owner's next batch only, under a lock of the lane.
     *
     * @param without the jobs in hand, in id order, which the same selection has found
     * @return empty if the server has another era, or one of the selection's exceptions is over
     */
    Optional<Read> readAhead(int lane, String era, Selection selection, List<Job> without);

    /**
     * See {@link #take}.
     *
     * @param channel of the lane; whoever has an older generation can change it no more
     */
    record Taken(long generation, int channel) {}

    /**
     * See {@link #readHorizon}.
     *
     * @param era names the running server and the life of the sequence: another one after a restart or a failover, and
     *     when ids begin anew
     * @param writers the open transactions that have locked the table as an insert does
     */
    record Reading(String era, long lastId, Set<String> writers) {}
}
