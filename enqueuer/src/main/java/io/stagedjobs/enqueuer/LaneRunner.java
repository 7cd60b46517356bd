package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.Deleted;
import io.stagedjobs.enqueuer.LaneTransaction.Moved;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.OutsideException.Side;
import io.stagedjobs.enqueuer.Progress.JobRef;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves one lane: acquire, then batch after batch, until it is told to stop or the lane is no longer ours. The package
 * description tells the protocol. {@link #runOnce} is one step and belongs to one thread; the other methods may be called from any.
 */
final class LaneRunner implements Runnable {

    private static final Logger log = LoggerFactory.getLogger(LaneRunner.class);

    private static final Duration HALTED_LOOK_EVERY = Duration.ofSeconds(10);

    /** What the lanes of one process share. */
    record Tools(
            Lanes lanes,
            Publisher publisher,
            Horizon horizon,
            BatchLimits limits,
            Rests rests,
            Gate gate,
            Pauses pauses,
            Health health,
            Meters meters,
            LongSupplier nanoTime,
            RandomGenerator random) {}

    /**
     * How long a lane rests.
     *
     * @param idle while nothing waits in it; a {@link Lookout} ends that rest
     * @param blocked while something of it cannot be moved, and nobody could say more than the lane sees itself
     */
    record Rests(Duration idle, Duration blocked) {}

    /** What one ownership of the lane knows; thrown away with the first failure. */
    private static final class Ownership {
        final Publisher.Session session;
        final Aside aside;
        final Floor floor;
        final boolean keepsProgress;
        long batchLast;
        boolean moreWaits = true;

        Ownership(Publisher.Session session, Aside aside, String era, Optional<Progress> progress) {
            this.session = session;
            this.aside = aside;
            this.floor = new Floor(era);
            this.keepsProgress = progress.isPresent();
            this.batchLast = progress.map(Progress::batch).orElse(0L);
        }

        long batchNext() {
            return keepsProgress ? batchLast + 1 : 0;
        }
    }

    private final int lane;
    private final Tools tools;
    private final Pace pace;
    private final Rest rest = new Rest();

    private long generation;
    private @Nullable Ownership ownership;
    private volatile Lanes.@Nullable Start resting;
    private volatile boolean told;

    LaneRunner(int lane, Tools tools) {
        this.lane = lane;
        this.tools = tools;
        this.pace = new Pace(tools.random);
    }

    @Override
    public void run() {
        Optional<Duration> pause = Optional.of(Duration.ZERO);
        while (pause.isPresent() && rest.take(pause.get(), resting != null)) {
            pause = runOnce();
        }
        letGo();
    }

    /** Ends {@link #run} after the batch in hand; the lane is given back then. */
    void stop() {
        rest.end();
    }

    /** Where jobs would appear that end its rest; empty while it does not rest for want of jobs. */
    Optional<Lanes.Start> resting() {
        return Optional.ofNullable(resting);
    }

    /** Ends the rest of a lane in which nothing waited: now something does. Whoever rests after a failure is not disturbed. */
    void jobsWait() {
        told = true;
        rest.wake();
    }

    /** Moves one batch of this lane; returns how long to rest before the next call, empty if the lane is not ours. */
    Optional<Duration> runOnce() {
        resting = null;
        try {
            if (ownership == null && !take()) {
                return Optional.empty();
            }
            Ownership owned = ownership == null ? acquire() : ownership;
            ownership = owned;
            Duration pause = owned == null ? outrun() : turn(owned);
            if (ownership != null) {
                tools.health.laneWorks(lane);
            }
            return Optional.of(pause);
        } catch (OutsideException e) {
            return Optional.of(failed(e.side(), String.valueOf(e.getMessage())));
        } catch (LaneHaltedException e) {
            return Optional.of(halted(String.valueOf(e.getMessage())));
        } catch (RuntimeException bug) {
            log.error("lane {} met an unexpected failure; its batch was rolled back, no job is lost", lane, bug);
            return Optional.of(failed(Side.ENQUEUER, String.valueOf(bug)));
        }
    }

    /** @return false if another live enqueuer owns the lane */
    private boolean take() {
        OptionalLong taken = tools.lanes.take(lane);
        generation = taken.orElse(0);
        return taken.isPresent();
    }

    /** @return null if the lane has a newer generation meanwhile */
    private @Nullable Ownership acquire() {
        Optional<Progress> before = tools.publisher.peek(lane);
        if (before.isPresent() && !agrees(before.get())) {
            return null; // nobody was fenced
        }
        Publisher.Session session = tools.publisher.open(lane, generation);
        try {
            Ownership owned = reconcile(session);
            if (owned == null) {
                session.close();
                return null;
            }
            log.info("lane {} is ours, generation {}", lane, generation);
            return owned;
        } catch (RuntimeException e) {
            session.close();
            throw e;
        }
    }

    /**
     * Compares with what Kafka has committed so far, and changes nothing. Kafka answers a commit before a reader can see it, and
     * the owner before us may have settled that batch already: one batch too few in Kafka proves nothing before the fencing.
     *
     * @return false if the lane has a newer generation
     * @throws LaneHaltedException if the two stores contradict each other
     */
    private boolean agrees(Progress progress) {
        try (LaneTransaction transaction = begin()) {
            if (transaction == null) {
                return false;
            }
            long settled = transaction.settled();
            if (progress.batch() != settled - 1) {
                compare(transaction, settled, progress);
            }
            return true;
        }
    }

    /** Compares with what Kafka has committed for good, and deletes the rows of a batch that only Kafka knew. */
    private @Nullable Ownership reconcile(Publisher.Session session) {
        Optional<Progress> progress = session.progress();
        try (LaneTransaction transaction = begin()) {
            if (transaction == null) {
                return null;
            }
            if (progress.isPresent()) {
                long settled = transaction.settled();
                List<Row> left = compare(transaction, settled, progress.get());
                if (progress.get().batch() > settled) {
                    int deleted = transaction.delete(left).rows() + transaction.deleteAside(left);
                    transaction.recordSettled(progress.get().batch());
                    log.info(
                            "lane {}: batch {} was in Kafka already; {} of its {} jobs were still here and are deleted now",
                            lane,
                            progress.get().batch(),
                            deleted,
                            progress.get().jobs().size());
                }
            }
            Aside aside = new Aside(lane, transaction.aside(), tools.limits, tools.nanoTime);
            transaction.commit();
            return new Ownership(session, aside, transaction.era(), progress);
        }
    }

    /** @return what of the last batch in Kafka is still in the lane */
    private static List<Row> compare(LaneTransaction transaction, long settled, Progress progress) {
        List<Row> left =
                transaction.present(progress.jobs().stream().map(JobRef::id).toList());
        Map<Long, Long> digests = left.stream().collect(Collectors.toMap(Row::id, row -> JobRef.digest(row.jobId())));
        Reconciliation.compare(settled, progress, digests).ifPresent(contradiction -> {
            throw new LaneHaltedException(contradiction);
        });
        return left;
    }

    private @Nullable LaneTransaction begin() {
        return tools.lanes.begin(lane, generation).orElse(null);
    }

    /**
     * Begins a transaction in which all is still true that the ownership knows. A server that was started meanwhile may have
     * been given an earlier state of the database, this very generation in it: then the two stores are compared anew.
     *
     * @return null if the lane has to be acquired again
     */
    private @Nullable LaneTransaction begin(Ownership owned) {
        LaneTransaction transaction = begin();
        if (transaction != null && !owned.floor.isTrueIn(transaction.era())) {
            transaction.close();
            return null;
        }
        return transaction;
    }

    private Duration turn(Ownership owned) {
        if (tools.pauses.everything()) {
            return pace.idle(tools.rests.blocked);
        }
        Map<String, Refusal> paused = tools.pauses.refusals();
        boolean waits = owned.moreWaits || anyWaiting(owned);
        Horizon.View horizon = waits ? tools.horizon.look() : Horizon.View.NOTHING;
        int tended = tend(owned, paused, waits, horizon);
        if (tended < 0) {
            return outrun();
        }
        if (!waits) {
            return tended == 0 ? restForJobs(owned) : pace.busy();
        }
        return owned.moreWaits
                ? move(owned, paused, tended, horizon)
                : tools.gate.inTurn(() -> move(owned, paused, tended, horizon));
    }

    /** Moves a batch. */
    private Duration move(Ownership owned, Map<String, Refusal> paused, int tended, Horizon.View horizon) {
        Outcome outcome;
        try (LaneTransaction transaction = begin(owned)) {
            if (transaction == null) {
                return outrun();
            }
            Blocked blocked = owned.aside.blocked(paused);
            owned.floor.in(horizon, blocked);
            LaneTransaction.Read read = read(owned.floor, transaction, blocked);
            owned.moreWaits = read.full();
            if (read.jobs().isEmpty()) {
                passed(owned.floor, read, List.of());
                return tended > 0 ? pace.busy() : restAfterNothing(owned, blocked);
            }
            Batch batch = new Batch(owned.batchNext(), read.jobs());
            outcome = owned.session.publish(batch);
            passed(owned.floor, read, settle(owned, transaction, batch, outcome));
        }
        return outcome.failure() == null ? afterSuccess(owned, outcome) : failed(Side.KAFKA, outcome.failure());
    }

    private boolean anyWaiting(Ownership owned) {
        if (told) {
            told = false;
            return true;
        }
        return !tools.lanes.waiting(Map.of(lane, owned.floor.last(generation))).isEmpty();
    }

    /** What is blocked waits too, so that a lookout would tell of it again and again. */
    private Duration restAfterNothing(Ownership owned, Blocked blocked) {
        return blocked.equals(Blocked.NOTHING) ? restForJobs(owned) : pace.idle(tools.rests.blocked);
    }

    /** Rests until a {@link Lookout} says that jobs wait; whether held jobs may return is for the lane itself to see. */
    private Duration restForJobs(Ownership owned) {
        resting = owned.floor.last(generation);
        return pace.idle(owned.aside.anyHeld() ? tools.rests.blocked : tools.rests.idle);
    }

    /**
     * Returns held jobs of topics that take them again, and moves blocked ones aside, in a transaction of its own.
     *
     * @return how many jobs were moved, -1 if the lane has a newer generation
     */
    private int tend(Ownership owned, Map<String, Refusal> paused, boolean waits, Horizon.View horizon) {
        var topics = owned.aside.toLookAt();
        if (!topics.isEmpty()) {
            owned.aside.looked(tools.publisher.refused(topics));
        }
        if (!owned.aside.needsTending(paused, waits)) {
            return 0;
        }
        try (LaneTransaction transaction = begin(owned)) {
            if (transaction == null) {
                return -1;
            }
            int moved = owned.aside.tend(transaction, paused, owned.floor, horizon);
            transaction.commit();
            return moved;
        }
    }

    private LaneTransaction.Read read(Floor floor, LaneTransaction transaction, Blocked blocked) {
        LaneTransaction.Read read = transaction.read(tools.limits, blocked, floor.start());
        boolean jobsBelow = !floor.exceptions().isEmpty() && transaction.anyOver(floor.exceptions());
        return jobsBelow ? transaction.read(tools.limits, blocked, floor.backToSettled()) : read;
    }

    /** Raises the floor over what was read and is gone. */
    private static void passed(Floor floor, LaneTransaction.Read read, List<Job> left) {
        if (!left.isEmpty()) {
            floor.passed(left.get(0).id() - 1);
        } else if (read.full()) {
            floor.passed(read.jobs().get(read.jobs().size() - 1).id());
        } else {
            floor.passed(Long.MAX_VALUE);
        }
    }

    /**
     * Deletes what Kafka holds, moves aside what it refuses, and commits both.
     *
     * @return the jobs of the batch that stay where they are
     */
    private List<Job> settle(Ownership owned, LaneTransaction transaction, Batch batch, Outcome outcome) {
        List<Moved> moved = Aside.toMove(batch.jobs(), outcome);
        if (outcome.published().isEmpty() && moved.isEmpty()) {
            return batch.jobs();
        }
        Deleted deleted =
                transaction.delete(outcome.published().stream().map(Row::of).toList());
        if (!outcome.published().isEmpty() && owned.keepsProgress) {
            transaction.recordSettled(batch.number());
            owned.batchLast = batch.number();
        }
        transaction.moveAside(moved);
        transaction.commit();
        owned.aside.moved(moved, outcome);
        if (!moved.isEmpty()) {
            owned.floor.notCleared();
        }
        List<Job> left = left(batch, outcome, moved);
        owned.moreWaits |= !left.isEmpty();
        tools.meters.settled(outcome.published(), deleted);
        tell(batch, outcome, deleted, moved);
        return left;
    }

    private static List<Job> left(Batch batch, Outcome outcome, List<Moved> moved) {
        if (outcome.published().size() + moved.size() == batch.jobs().size()) {
            return List.of();
        }
        Set<Long> gone = outcome.published().stream().map(Job::id).collect(Collectors.toSet());
        moved.forEach(job -> gone.add(job.row().id()));
        return batch.jobs().stream().filter(job -> !gone.contains(job.id())).toList();
    }

    private void tell(Batch batch, Outcome outcome, Deleted deleted, List<Moved> moved) {
        int published = outcome.published().size();
        log.debug(
                "lane {}: of {} jobs {} published, {} moved aside",
                lane,
                batch.jobs().size(),
                published,
                moved.size());
        if (deleted.rows() < published) {
            log.warn(
                    "lane {}: {} of {} published jobs were deleted by somebody else meanwhile",
                    lane,
                    published - deleted.rows(),
                    published);
        }
    }

    private Duration afterSuccess(Ownership owned, Outcome outcome) {
        if (pace.failures() > 0) {
            log.info("lane {} publishes again after {} failures", lane, pace.failures());
        }
        boolean moved = !outcome.published().isEmpty()
                || !outcome.refusedTopics().isEmpty()
                || !outcome.refusedJobs().isEmpty();
        if (!moved) {
            return pace.idle(tools.rests.blocked);
        }
        return owned.moreWaits ? pace.busy() : restForJobs(owned);
    }

    /**
     * Somebody took the lane, moved jobs of it by hand, or started PostgreSQL anew: begins again, after a rest so that owners do not
     * chase each other.
     */
    private Duration outrun() {
        log.info(
                "lane {} has a newer generation than {}, or a server that was started since; beginning again",
                lane,
                generation);
        closeSession();
        return pace.outrun();
    }

    /**
     * Takes the step back and says how long to rest. Warns of the first two, since the second one has connected anew and may
     * know why the first one had no answer; then now and then.
     */
    private Duration failed(Side side, String reason) {
        closeSession();
        tools.health.laneFailed(lane, side, reason);
        tools.meters.failed(side);
        Duration rest = pace.failed();
        if (pace.failures() <= 2 || pace.failures() % 20 == 0) {
            log.warn(
                    "could not move lane {} ({} time(s) in a row): {}. Its jobs stay staged, none is lost. Next try in {} ms.",
                    lane,
                    pace.failures(),
                    reason,
                    rest.toMillis());
        }
        return rest;
    }

    /** Stays halted until a person has acted; looks again now and then, because that needs no restart. */
    private Duration halted(String reason) {
        closeSession();
        if (tools.health.laneHalted(lane, reason)) {
            log.error(
                    "lane {} is halted: {}. Nothing of it is published and nothing is deleted until that is settled; see"
                            + " operations.md \"A lane is halted\".",
                    lane,
                    reason);
        }
        return HALTED_LOOK_EVERY;
    }

    private void letGo() {
        closeSession();
        tools.health.laneWorks(lane); // whoever owns it now tells
        try {
            tools.lanes.giveBack(lane, generation);
        } catch (OutsideException e) {
            log.info("could not give lane {} back: {}. The next heartbeat does.", lane, e.getMessage());
        }
    }

    private void closeSession() {
        if (ownership != null) {
            ownership.session.close();
            ownership = null;
        }
    }
}
