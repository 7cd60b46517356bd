package io.stagedjobs.enqueuer;

import java.time.Instant;
import java.util.List;

/**
 * The jobs of one lane that were read together, inside the open transaction that read them. It belongs to one thread.
 * Closing without {@link #settle} rolls the transaction back: every job stays staged.
 */
public interface Batch extends AutoCloseable {

    /** Its number, one more than that of the lane's batch before it. */
    long number();

    /** In id order; empty if nothing waits. */
    List<Job> jobs();

    /** True if the read stopped at a bound, so that more may wait. */
    boolean full();

    /**
     * Deletes exactly the jobs that the outcome calls published, records the batch's number, and commits.
     *
     * @throws OutsideException if the database is away; the outcome of the commit is then unknown
     */
    Settlement settle(Outcome outcome);

    /** Rolls back unless the batch was settled, and gives the connection back; never throws. */
    @Override
    void close();

    /**
     * What was deleted.
     *
     * @param deleted rows; fewer than published if somebody else deleted some
     * @param at by the database's clock
     */
    record Settlement(int deleted, Instant at) {}
}
