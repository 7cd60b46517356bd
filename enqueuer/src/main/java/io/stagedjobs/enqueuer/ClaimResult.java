package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Read;
import org.jspecify.annotations.Nullable;

/**
 * The answer to {@link Lanes#claim}. Closing it closes the transaction, if there is one.
 *
 * @param transaction the transaction that holds the lane, null unless the lane was claimed
 * @param read the lane's next jobs, read after the lane was locked; empty unless the lane was claimed
 */
public record ClaimResult(State state, @Nullable LaneTransaction transaction, Read read) implements AutoCloseable {

    /** The result of a claim. */
    public enum State {
        CLAIMED,
        /** No job waits beyond the criteria's start; nothing was locked. */
        NOTHING_WAITS,
        /** The lane has another generation than requested. */
        SUPERSEDED
    }

    /** No job waits in the lane. */
    public static final ClaimResult NOTHING_WAITS = new ClaimResult(State.NOTHING_WAITS, null, Read.NOTHING);

    /** Another enqueuer owns the lane, or it was acquired anew. */
    public static final ClaimResult SUPERSEDED = new ClaimResult(State.SUPERSEDED, null, Read.NOTHING);

    /** The lane is locked. */
    public static ClaimResult of(LaneTransaction transaction, Read read) {
        return new ClaimResult(State.CLAIMED, transaction, read);
    }

    @Override
    public void close() {
        if (transaction != null) {
            transaction.close();
        }
    }
}
