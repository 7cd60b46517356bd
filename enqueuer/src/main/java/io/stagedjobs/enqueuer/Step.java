package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Deleted;
import io.stagedjobs.enqueuer.LaneTransaction.Moved;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What one step of a lane did. {@link LaneRunner} acts on it, and nobody else: log, meters, health and pace.
 *
 * @param claimed how many jobs were handed to Kafka, published or not
 * @param settled the batch that was settled, null if none was; a step that failed may have settled a part of its batch
 * @param origin of the failure, null unless the step failed
 * @param reason why the step failed or the lane halted, one line; empty otherwise
 */
record Step(
        Kind kind,
        int claimed,
        @Nullable Settled settled,
        @Nullable Origin origin,
        String reason) {

    /** What a step comes to. */
    enum Kind {
        /** Jobs were published or moved aside. */
        MOVED,
        /** No job waits. */
        IDLE,
        /** Jobs wait, but none of them may be published now. */
        BLOCKED,
        /** The lane has another generation, or the server was started since: acquire the lane anew. */
        SUPERSEDED,
        /** Another live enqueuer owns the lane. */
        NOT_OURS,
        /** PostgreSQL or Kafka did not do its part: the step was taken back. */
        FAILED,
        /** The two stores contradict each other: nothing moves before a person has looked. */
        HALTED
    }

    /**
     * A batch and what became of it.
     *
     * @param aside the jobs that were moved aside
     * @param moreWaits whether more jobs of the lane are known to wait
     */
    record Settled(Batch batch, Outcome outcome, List<Moved> aside, Deleted deleted, boolean moreWaits) {}

    static Step of(Kind kind) {
        return new Step(kind, 0, null, null, "");
    }

    static Step moved(Settled settled) {
        return new Step(Kind.MOVED, settled.batch.jobs().size(), settled, null, "");
    }

    /** Nothing was published, and nothing of it stays done. */
    static Step failed(Origin origin, String reason) {
        return new Step(Kind.FAILED, 0, null, origin, reason);
    }

    /** Kafka did not take the batch as a whole. */
    static Step unpublished(int claimed, @Nullable Settled settled, String reason) {
        return new Step(Kind.FAILED, claimed, settled, Origin.KAFKA, reason);
    }

    static Step halted(String reason) {
        return new Step(Kind.HALTED, 0, null, null, reason);
    }

    boolean moreWaits() {
        return kind == Kind.MOVED && (settled == null || settled.moreWaits);
    }

    /** Whether the ownership of the lane is over with this step. */
    boolean endsOwnership() {
        return kind == Kind.SUPERSEDED || kind == Kind.FAILED || kind == Kind.HALTED;
    }
}
