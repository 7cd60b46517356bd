package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Deleted;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.Progress.JobRef;
import io.stagedjobs.enqueuer.Step.Kind;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How a lane becomes ours: take it, compare the two stores without disturbing anybody, fence the owner before, compare again
 * and reconcile. One thread.
 */
final class LaneAcquisition {

    private static final Logger log = LoggerFactory.getLogger(LaneAcquisition.class);

    /**
     * What came of it: an ownership, or the step that says why there is none.
     *
     * @param generation of the lane, 0 if it was not taken
     */
    record Result(
            long generation,
            @Nullable LaneOwnership ownership,
            @Nullable Step instead) {}

    private final int lane;
    private final Ports ports;
    private final Shared shared;

    LaneAcquisition(int lane, Ports ports, Shared shared) {
        this.lane = lane;
        this.ports = ports;
        this.shared = shared;
    }

    /**
     * Acquires the lane.
     *
     * @param unsettled jobs of the lane that Kafka has acknowledged to this process, whose rows may still be there
     * @throws OutsideException if a store does not do its part; the lane may be ours then, under a newer generation
     */
    Result acquire(List<Row> unsettled) {
        OptionalLong taken = ports.lanes().take(lane);
        if (taken.isEmpty()) {
            return new Result(0, null, Step.of(Kind.NOT_OURS));
        }
        long generation = taken.getAsLong();
        Optional<Step> obstacle = compareWithoutFencing(generation);
        if (obstacle.isPresent()) {
            return new Result(generation, null, obstacle.get());
        }
        Publisher.Session session = ports.publisher().open(lane, generation);
        try {
            Result result = reconcile(generation, session, unsettled);
            if (result.ownership == null) {
                session.close();
            } else {
                log.info("lane {} is ours, generation {}", lane, generation);
            }
            return result;
        } catch (RuntimeException e) {
            session.close();
            throw e;
        }
    }

    /**
     * Compares with what Kafka has committed so far, and changes nothing: a copy of a database that is found out here has not
     * disturbed the original. Kafka answers a commit before a reader can see it, and the owner before us may have settled that
     * batch already: one batch too few in Kafka proves nothing before the fencing.
     */
    private Optional<Step> compareWithoutFencing(long generation) {
        Optional<Progress> progress = ports.publisher().peek(lane);
        if (progress.isEmpty()) {
            return Optional.empty();
        }
        Optional<LaneTransaction> begun = ports.lanes().begin(lane, generation);
        if (begun.isEmpty()) {
            return Optional.of(Step.of(Kind.SUPERSEDED));
        }
        try (LaneTransaction transaction = begun.get()) {
            long settled = transaction.lastBatch();
            return progress.get().batch() == settled - 1
                    ? Optional.empty()
                    : compare(settled, progress.get(), present(transaction, progress.get()))
                            .map(Step::halted);
        }
    }

    /** Compares with what Kafka has committed for good, and deletes the rows of a batch that only Kafka knew. */
    private Result reconcile(long generation, Publisher.Session session, List<Row> unsettled) {
        Optional<Progress> progress = session.progress();
        Optional<LaneTransaction> begun = ports.lanes().begin(lane, generation);
        if (begun.isEmpty()) {
            return new Result(generation, null, Step.of(Kind.SUPERSEDED));
        }
        try (LaneTransaction transaction = begun.get()) {
            Optional<String> contradiction =
                    progress.isPresent() ? settle(transaction, progress.get()) : deleteAll(transaction, unsettled, 0);
            if (contradiction.isPresent()) {
                return new Result(generation, null, Step.halted(contradiction.get()));
            }
            SetAside aside = new SetAside(transaction.aside(), shared.limits(), shared.heldTopics(), shared.nanoTime());
            // Written in any case, so that this commit waits for a standby that is waited for: what is visible here may
            // be a deletion whose own wait was ended.
            transaction.writeToLog();
            transaction.commit();
            LaneReader reader = new LaneReader(
                    lane, generation, transaction.era(), ports.lanes(), shared.horizon(), shared.background());
            return new Result(generation, new LaneOwnership(ports.publisher(), session, reader, aside, progress), null);
        }
    }

    private Optional<String> settle(LaneTransaction transaction, Progress progress) {
        long settled = transaction.lastBatch();
        List<Row> left = present(transaction, progress);
        Optional<String> contradiction = compare(settled, progress, left);
        if (contradiction.isPresent() || progress.batch() == settled) {
            return contradiction;
        }
        log.info(
                "lane {}: batch {} was in Kafka already; {} of its {} jobs were still here and are deleted now",
                lane,
                progress.batch(),
                left.size(),
                progress.jobs().size());
        return deleteAll(transaction, left, progress.batch());
    }

    /** Deletes rows wherever they lie. */
    private static Optional<String> deleteAll(LaneTransaction transaction, List<Row> rows, long batch) {
        int aside = rows.isEmpty() ? 0 : transaction.deleteAside(rows);
        Deleted deleted = transaction.delete(rows, batch);
        return transaction.stillThere(rows, new Deleted(aside + deleted.rows(), deleted.at()));
    }

    /** What of the last batch in Kafka is still in the lane. */
    private static List<Row> present(LaneTransaction transaction, Progress progress) {
        return transaction.present(progress.jobs().stream().map(JobRef::id).toList());
    }

    private static Optional<String> compare(long settled, Progress progress, List<Row> left) {
        Map<Long, Long> digests = left.stream().collect(Collectors.toMap(Row::id, row -> JobRef.digest(row.jobId())));
        return Reconciliation.compare(settled, progress, digests);
    }
}
