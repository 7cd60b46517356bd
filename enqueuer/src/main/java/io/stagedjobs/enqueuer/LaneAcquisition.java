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
 * Acquires a lane: takes it, compares the two stores without disturbing anybody, fences the earlier owner, compares
 * again and reconciles. If Kafka cannot end the last transaction, goes on under another channel, provided that nobody
 * can begin one under the old: decision 0028. One thread.
 */
class LaneAcquisition {

    private static final Logger log = LoggerFactory.getLogger(LaneAcquisition.class);

    /** The result: an ownership, or the step that says why there is none. */
    record Result(
            @Nullable LaneOwnership ownership, @Nullable Step instead) {

        private static Result of(Step instead) {
            return new Result(null, instead);
        }
    }

    private final int lane;
    private final Ports ports;
    private final LaneContext context;

    private long generation;
    private int channel;
    private boolean lastSessionWasOurs;

    LaneAcquisition(int lane, Ports ports, LaneContext context) {
        this.lane = lane;
        this.ports = ports;
        this.context = context;
    }

    /** The last generation taken here, 0 if there is none. */
    long generation() {
        return generation;
    }

    /**
     * Whether the lane's last session was opened here, and every generation since was ours: then earlier sessions are
     * fenced, and there is no later one. A session is closed before the lane is acquired anew.
     */
    boolean lastSessionWasOurs() {
        return lastSessionWasOurs;
    }

    /**
     * Acquires the lane.
     *
     * @param unsettled jobs of the lane that Kafka has acknowledged to this process and whose rows may still be there
     * @throws ExternalFailureException if a store fails; the lane may then be ours, under a newer generation
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

    /** If a generation is not one more than our last one, another enqueuer owned the lane in between. */
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
     * Compares with Kafka's progress so far, and changes nothing: a copy of a database that is detected here has not
     * disturbed the original. Kafka answers a commit before a reader can see it, and the earlier owner may already have
     * settled that batch: if Kafka is one batch behind, that proves nothing before the fencing.
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
     * Settles Kafka's decided batch, and writes the next channel. This requires that nobody can begin another
     * transaction under the current channel. The publisher of a batch that the database does not know cannot, because
     * it would have to settle that batch first; nor can we, if the last session was ours.
     *
     * @throws ExternalFailureException if somebody could: then the lane waits for Kafka
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
                "lane {} goes on under channel {}: its last transaction is decided, but cannot be ended now: {}",
                lane,
                channel,
                decided.failure().getMessage());
        return Optional.empty();
    }

    /** Compares with Kafka's final progress, and deletes the rows of a batch that only Kafka knew. */
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
            MovedAside aside =
                    new MovedAside(transaction.aside(), context.limits(), context.heldTopics(), context.nanoTime());
            // Always writes, so that this commit waits for a synchronous standby: a deletion that is visible here may
            // not have waited for it, if its own wait was cut short.
            transaction.writeToLog();
            transaction.commit();
            LaneReader reader = new LaneReader(
                    lane, generation, transaction.era(), ports.lanes(), context.horizon(), context.background());
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
                "lane {}: batch {} was in Kafka already; {} of its {} jobs were still here and will be deleted",
                lane,
                progress.batch(),
                left.size(),
                progress.jobs().size());
        return deleteAll(transaction, left, progress.batch());
    }

    /** Deletes rows from either table. */
    private static Optional<String> deleteAll(LaneTransaction transaction, List<Row> rows, long batch) {
        int aside = rows.isEmpty() ? 0 : transaction.deleteAside(rows);
        Deleted deleted = transaction.delete(rows, batch);
        return transaction.stillThere(rows, new Deleted(aside + deleted.rows(), deleted.at()));
    }

    /** The jobs of Kafka's last batch that are still in the lane. */
    private static List<Row> present(LaneTransaction transaction, Progress progress) {
        return transaction.present(progress.jobs().stream().map(JobRef::id).toList());
    }

    private Optional<String> compare(long settled, Progress progress, List<Row> left) {
        Map<Long, Long> digests = left.stream().collect(Collectors.toMap(Row::id, row -> JobRef.digest(row.jobId())));
        return Reconciliation.compare(channel, settled, progress, digests);
    }
}
