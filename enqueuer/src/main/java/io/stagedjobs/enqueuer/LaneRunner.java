package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.OutsideException.Side;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves one lane: acquire, then batch after batch, until it is told to stop or the lane is no longer ours. The package
 * description tells the protocol. {@link #runOnce} is one step and belongs to one thread; {@link #stop} may come from any.
 */
final class LaneRunner implements Runnable {

    private static final Logger log = LoggerFactory.getLogger(LaneRunner.class);

    private static final Duration HALTED_LOOK_EVERY = Duration.ofSeconds(10);

    /** What the lanes of one process share. */
    record Tools(
            Lanes lanes,
            Publisher publisher,
            Lanes.BatchLimits limits,
            Duration idleMax,
            HeldTopics heldTopics,
            Health health,
            Meters meters) {}

    private final int lane;
    private final Tools tools;
    private final Pace pace;
    private final StopSignal stop = new StopSignal();

    private long generation;
    private boolean keepsProgress;
    private long batchLast;
    private Publisher.@Nullable Session session;
    private boolean moreWaits;

    LaneRunner(int lane, Tools tools) {
        this.lane = lane;
        this.tools = tools;
        this.pace = new Pace(tools.idleMax, ThreadLocalRandom.current());
    }

    @Override
    public void run() {
        Optional<Duration> rest = Optional.of(Duration.ZERO);
        while (rest.isPresent() && !stop.await(rest.get())) {
            rest = runOnce();
        }
        letGo();
    }

    /** Ends {@link #run} after the batch in hand; the lane is given back then. */
    void stop() {
        stop.set();
    }

    /** Moves one batch of this lane; returns how long to rest before the next call, empty if the lane is not ours. */
    Optional<Duration> runOnce() {
        try {
            Publisher.Session current = session;
            if (current == null) {
                current = acquire();
            }
            return current == null ? Optional.empty() : moveBatch(current);
        } catch (OutsideException e) {
            return Optional.of(failed(e.side(), String.valueOf(e.getMessage())));
        } catch (LaneHaltedException e) {
            return Optional.of(halted(String.valueOf(e.getMessage())));
        } catch (RuntimeException bug) {
            log.error("lane {} met an unexpected failure; its batch was rolled back, no job is lost", lane, bug);
            return Optional.of(failed(Side.ENQUEUER, String.valueOf(bug)));
        }
    }

    /** @return null if the lane is not ours */
    private Publisher.@Nullable Session acquire() {
        OptionalLong taken = tools.lanes.take(lane);
        if (taken.isEmpty()) {
            return null;
        }
        generation = taken.getAsLong();
        Optional<Progress> before = tools.publisher.peek(lane);
        if (before.isPresent() && !agreed(tools.lanes.compare(lane, generation, before.get()))) {
            return null; // nobody was fenced
        }
        Publisher.Session opened = tools.publisher.open(lane, generation);
        session = opened; // from here on a failure closes it
        tools.health.reached(Side.KAFKA);
        Optional<Progress> progress = opened.progress();
        if (progress.isPresent() && !agreed(tools.lanes.reconcile(lane, generation, progress.get()))) {
            return null;
        }
        keepsProgress = progress.isPresent();
        moreWaits = true;
        tools.health.resumed(lane);
        log.info("lane {} is ours, generation {}", lane, generation);
        return opened;
    }

    /** @throws LaneHaltedException if the two stores contradict each other */
    private boolean agreed(Reconciliation reconciliation) {
        if (reconciliation instanceof Reconciliation.Agreed agreed) {
            batchLast = agreed.batch();
            return true;
        }
        if (reconciliation instanceof Reconciliation.Halted halted) {
            throw new LaneHaltedException(halted.reason());
        }
        return false;
    }

    private Optional<Duration> moveBatch(Publisher.Session session) {
        HeldTopics.View held = tools.heldTopics.now();
        if (!moreWaits && !tools.lanes.anyWaiting(lane, held.topics())) {
            return Optional.of(pace.idle());
        }
        Lanes.Turn turn = new Lanes.Turn(lane, generation, keepsProgress ? batchLast + 1 : Lanes.Turn.UNCOUNTED);
        Optional<Batch> claimed = tools.lanes.claim(turn, tools.limits, held.topics());
        if (claimed.isEmpty()) {
            log.info("lane {} has a newer owner, generation {} lets go", lane, generation);
            return Optional.empty();
        }
        try (Batch batch = claimed.get()) {
            moreWaits = batch.full();
            if (batch.jobs().isEmpty()) {
                return Optional.of(pace.idle());
            }
            Outcome outcome = session.publish(batch);
            settle(batch, outcome, held);
            return Optional.of(
                    outcome.failure() == null ? afterSuccess(outcome) : failed(Side.KAFKA, outcome.failure()));
        }
    }

    private void settle(Batch batch, Outcome outcome, HeldTopics.View held) {
        if (!outcome.published().isEmpty()) {
            tools.meters.settled(outcome.published(), batch.settle(outcome));
            batchLast = batch.number();
        }
        tools.heldTopics.learn(outcome, held);
        log.debug(
                "lane {} published {} of {} jobs, {} topics refused",
                lane,
                outcome.published().size(),
                batch.jobs().size(),
                outcome.refused().size());
    }

    private Duration afterSuccess(Outcome outcome) {
        if (pace.failures() > 0) {
            log.info("lane {} publishes again after {} failures", lane, pace.failures());
        }
        tools.health.reached(Side.KAFKA);
        tools.health.reached(Side.ENQUEUER);
        return outcome.published().isEmpty() ? pace.idle() : pace.busy();
    }

    /** Takes the step back and says how long to rest; warns at first, then now and then. */
    private Duration failed(Side side, String reason) {
        closeSession();
        tools.health.failed(side, reason);
        tools.meters.failed(side);
        Duration rest = pace.failed();
        if (pace.failures() == 1 || pace.failures() % 20 == 0) {
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
        if (tools.health.halted(lane, reason)) {
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
        tools.health.resumed(lane); // whoever owns it now tells
        try {
            tools.lanes.giveBack(lane, generation);
        } catch (OutsideException e) {
            log.info("could not give lane {} back: {}. Another enqueuer takes it by itself.", lane, e.getMessage());
        }
    }

    private void closeSession() {
        if (session != null) {
            session.close();
            session = null;
        }
    }
}
