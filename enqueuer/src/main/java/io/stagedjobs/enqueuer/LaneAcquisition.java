package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Deleted;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.Lanes.Taken;
import io.stagedjobs.enqueuer.Progress.JobRef;
import io.stagedjobs.enqueuer.Step.Kind;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How a lane becomes ours, each time anew: take it, compare the two stores without disturbing anybody, fence the owner
 * before, compare again and reconcile. Where Kafka cannot end the last transaction, go on under another channel if
 * nobody can begin one under the old: decision 0028. One thread.
 */
class LaneAcquisition {

    private static final Logger log = LoggerFactory.getLogger(LaneAcquisition.class);

    /** What came of it: an ownership, or the step that says why there is none. */
    record Result(
            @Nullable LaneOwnership ownership, @Nullable Step instead) {

        private static Result of(Step instead) {
            return new Result(null, instead);
        }
    }

    private final int lane;
    private final Ports ports;
    private final Shared shared;

    private long generation;
    private int channel;
    private boolean lastSessionWasOurs;

    LaneAcquisition(int lane, Ports ports, Shared shared) {
        this.lane = lane;
        this.ports = ports;
        this.shared = shared;
    }

    /** The generation that was taken last, 0 if none is known. */
    long generation() {
        return generation;
    }

    /**
     * Whether the lane's last session was opened here, and every generation since was ours: whoever had a session
     * before is fenced, and nobody has one after. A session is closed before the lane is acquired anew.
     */
    boolean lastSessionWasOurs() {
        return lastSessionWasOurs;
    }

    /**
     * Acquires the lane.
     *
     * @param unsettled jobs of the lane that Kafka has acknowledged to this process, whose rows may still be there
     * @throws ExternalFailureException if a store does not do its part; the lane may be ours then, under a newer
     *     generation
     */
    Result acquire(List<Row> unsettled) {
        if (!take()) {
            return Result.of(Step.of(Kind.NOT_OURS));
        }
        Optional<Step> obstacle = compareWithoutFencing();
        if (obstacle.isPresent()) {
            return Result.of(obstacle.get());
        }
        Publisher.Opened opened = open();
        if (opened instanceof Publisher.Decided decided) {
            obstacle = goOn(decided);
            if (obstacle.isPresent()) {
                return Result.of(obstacle.get());
            }
            opened = open();
        }
        Publisher.Session session = opened.orThrow();
        lastSessionWasOurs = true;
        try {
            Result result = reconcile(session, unsettled);
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

    /** A generation that is not one more than the last one known was preceded by somebody else's. */
    private boolean take() {
        Optional<Taken> taken = ports.lanes().take(lane);
        long before = generation;
        generation = taken.map(Taken::generation).orElse(0L);
        lastSessionWasOurs &= generation == before + 1;
        channel = taken.map(Taken::channel).orElse(0);
        return taken.isPresent();
    }

    private Publisher.Opened open() {
        return ports.publisher().open(lane, generation, channel);
    }

    /**
     * Compares with what Kafka has committed so far, and changes nothing: a copy of a database that is found out here
     * has not disturbed the original. Kafka answers a commit before a reader can see it, and the owner before us may
     * have settled that batch already: one batch too few in Kafka proves nothing before the fencing.
     */
    private Optional<Step> compareWithoutFencing() {
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

    /**
     * Settles what Kafka has decided, and writes down the next channel. Nobody may be able to begin another transaction
     * under this one: not whoever has published the batch that the database does not know, for it had to settle that
     * before; nor we, if the last session was ours.
     *
     * @throws ExternalFailureException if somebody may: then Kafka is waited for
     */
    private Optional<Step> goOn(Publisher.Decided decided) {
        Optional<LaneTransaction> begun = ports.lanes().begin(lane, generation);
        if (begun.isEmpty()) {
            return Optional.of(Step.of(Kind.SUPERSEDED));
        }
        try (LaneTransaction transaction = begun.get()) {
            boolean ahead = decided.progress().batch() > transaction.lastBatch();
            Optional<String> contradiction = settle(transaction, decided.progress());
            if (contradiction.isPresent()) {
                return contradiction.map(Step::halted);
            }
            if (!ahead && !lastSessionWasOurs()) {
                throw decided.failure();
            }
            transaction.useChannel(channel + 1);
            transaction.commit();
        }
        channel++;
        log.info(
                "lane {} goes on under channel {}: its last transaction is decided, and cannot be ended now: {}",
                lane,
                channel,
                decided.failure().getMessage());
        return Optional.empty();
    }

    /** Compares with what Kafka has committed for good, and deletes the rows of a batch that only Kafka knew. */
    private Result reconcile(Publisher.Session session, List<Row> unsettled) {
        Optional<Progress> progress = session.progress();
        Optional<LaneTransaction> begun = ports.lanes().begin(lane, generation);
        if (begun.isEmpty()) {
            return Result.of(Step.of(Kind.SUPERSEDED));
        }
        try (LaneTransaction transaction = begun.get()) {
            Optional<String> contradiction =
                    progress.isPresent() ? settle(transaction, progress.get()) : deleteAll(transaction, unsettled, 0);
            if (contradiction.isPresent()) {
                return Result.of(Step.halted(contradiction.get()));
            }
            SetAside aside = new SetAside(transaction.aside(), shared.limits(), shared.heldTopics(), shared.nanoTime());
            // Written in any case, so that this commit waits for a standby that is waited for: what is visible here may
            // be a deletion whose own wait was ended.
            transaction.writeToLog();
            transaction.commit();
            LaneReader reader = new LaneReader(
                    lane, generation, transaction.era(), ports.lanes(), shared.horizon(), shared.background());
            return new Result(new LaneOwnership(ports.publisher(), session, reader, aside, progress), null);
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

    private Optional<String> compare(long settled, Progress progress, List<Row> left) {
        Map<Long, Long> digests = left.stream().collect(Collectors.toMap(Row::id, row -> JobRef.digest(row.jobId())));
        return Reconciliation.compare(channel, settled, progress, digests);
    }
}
