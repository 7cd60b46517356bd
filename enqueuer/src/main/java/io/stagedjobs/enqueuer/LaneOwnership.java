package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Deleted;
import io.stagedjobs.enqueuer.LaneTransaction.Moved;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.Step.Kind;
import io.stagedjobs.enqueuer.Step.Settled;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * One ownership of a lane: claims, publishes and settles batch after batch. It ends with the first step that fails,
 * together with all its knowledge of the lane. One thread.
 */
final class LaneOwnership implements AutoCloseable {

    private final Publisher publisher;
    private final Publisher.Session session;
    private final LaneReader reader;
    private final MovedAside aside;
    private final boolean keepsProgress;

    private long lastBatch;
    private List<Row> unsettled = List.of();

    /** @param progress the progress on which Kafka and the database agree; empty if the delivery mode keeps none */
    LaneOwnership(
            Publisher publisher,
            Publisher.Session session,
            LaneReader reader,
            MovedAside aside,
            Optional<Progress> progress) {
        this.publisher = publisher;
        this.session = session;
        this.reader = reader;
        this.aside = aside;
        this.keepsProgress = progress.isPresent();
        this.lastBatch = progress.map(Progress::batch).orElse(0L);
    }

    /**
     * Jobs that Kafka has acknowledged and whose rows may still be there, because their deletion was not confirmed.
     * Empty if Kafka keeps the progress: then the next owner finds out.
     */
    List<Row> unsettled() {
        return keepsProgress ? List.of() : unsettled;
    }

    /**
     * Moves one batch.
     *
     * @param paused the topics that an operator has paused
     * @param limits of this batch
     */
    Step step(Map<String, Refusal> paused, BatchLimits limits) {
        aside.pause(paused);
        Optional<Integer> tended = tend();
        if (tended.isEmpty()) {
            return Step.of(Kind.SUPERSEDED);
        }
        Step step = claimPublishSettle(limits);
        boolean nothingElse = step.kind() == Kind.IDLE || step.kind() == Kind.BLOCKED;
        return nothingElse && tended.get() > 0 ? Step.of(Kind.MOVED) : step;
    }

    private Step claimPublishSettle(BatchLimits limits) {
        try (ClaimResult claim = reader.claim(aside.blocked(), limits)) {
            LaneTransaction transaction = claim.transaction();
            if (transaction == null) {
                return Step.of(claim.state() == ClaimResult.State.NOTHING_WAITS ? Kind.IDLE : Kind.SUPERSEDED);
            }
            if (keepsProgress && transaction.lastBatchWhenLocked() != lastBatch) {
                return Step.of(Kind.SUPERSEDED); // the database was restored under a running server
            }
            List<Job> jobs = claim.read().jobs();
            if (jobs.isEmpty()) {
                reader.passed(claim.read(), List.of());
                return Step.of(aside.blocked().isNothing() ? Kind.IDLE : Kind.BLOCKED);
            }
            Batch batch = new Batch(keepsProgress ? lastBatch + 1 : 0, jobs);
            List<Row> rows = rows(jobs);
            reader.readAhead(claim.read(), limits);
            if (claim.read().full()) {
                transaction.deleteMeanwhile(rows, batch.number());
            }
            Outcome outcome = session.publish(batch);
            return settle(transaction, claim.read(), batch, rows, outcome);
        }
    }

    private static List<Row> rows(List<Job> jobs) {
        return jobs.stream().map(Row::of).toList();
    }

    /** Deletes the published jobs, moves the refused ones aside, and commits both. */
    private Step settle(
            LaneTransaction transaction, LaneTransaction.Read read, Batch batch, List<Row> rows, Outcome outcome) {
        List<Moved> moved = outcome.toMoveAside(batch.jobs());
        List<Job> left = outcome.left(batch.jobs(), moved);
        if (outcome.published().size() < batch.jobs().size()) {
            reader.forgetAhead(); // its jobs may overtake remaining ones, or follow ones that were moved aside
        }
        if (left.size() == batch.jobs().size()) {
            reader.passed(read, left);
            return outcome.failure() == null
                    ? Step.of(Kind.BLOCKED)
                    : Step.unpublished(batch.jobs().size(), null, outcome.failure());
        }
        unsettled = outcome.published().size() == rows.size() ? rows : rows(outcome.published());
        Deleted deleted = delete(transaction, read, batch);
        Optional<String> kept = transaction.stillThere(unsettled, deleted);
        if (kept.isPresent()) {
            return Step.halted(kept.get());
        }
        transaction.moveAside(moved);
        transaction.commit();
        unsettled = List.of();
        lastBatch = outcome.published().isEmpty() ? lastBatch : batch.number();
        aside.moved(moved, outcome);
        if (!moved.isEmpty()) {
            reader.position().notCleared();
        }
        reader.passed(read, left);
        Settled settled = new Settled(batch, outcome, moved, deleted, read.full() || !left.isEmpty());
        return outcome.failure() == null
                ? Step.moved(settled)
                : Step.unpublished(batch.jobs().size(), settled, outcome.failure());
    }

    /** Deletes the batch's published jobs; in a backlog the deletion began while Kafka had the batch. */
    private Deleted delete(LaneTransaction transaction, LaneTransaction.Read read, Batch batch) {
        if (read.full()) {
            if (unsettled.size() == batch.jobs().size()) {
                return transaction.deletedMeanwhile();
            }
            transaction.takeBackDeletion();
        }
        return transaction.delete(unsettled, unsettled.isEmpty() ? 0 : batch.number());
    }

    /**
     * Puts back held jobs of topics that take jobs again, and moves blocked ones aside, in a transaction of its own.
     *
     * @return the number of moved jobs; empty if the lane must be acquired anew
     */
    private Optional<Integer> tend() {
        Set<String> topics = aside.toLookAt();
        if (!topics.isEmpty()) {
            aside.looked(publisher.refused(topics));
        }
        if (!aside.needsTending(reader.waits())) {
            return Optional.of(0);
        }
        reader.forgetAhead(); // jobs that return may have to go first
        CommitHorizon.View horizon = reader.horizon();
        Optional<LaneTransaction> begun = reader.begin();
        if (begun.isEmpty()) {
            return Optional.empty();
        }
        try (LaneTransaction transaction = begun.get()) {
            int moved = aside.tend(transaction, reader.position(), horizon);
            transaction.commit();
            return Optional.of(moved);
        }
    }

    /** Waits until no record of this ownership can reach Kafka any more; never throws. */
    @Override
    public void close() {
        session.close();
    }
}
