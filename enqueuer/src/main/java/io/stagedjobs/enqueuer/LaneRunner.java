package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Moved;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.Step.Kind;
import io.stagedjobs.enqueuer.Step.Settled;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves one lane step by step, until {@link #stop} or until another enqueuer owns the lane. The package description
 * explains the protocol; {@link LaneAcquisition} and {@link LaneOwnership} implement it. This class runs the steps and
 * acts on their results. {@link #runOnce} is one step and belongs to one thread; {@link #stop} and {@link #wake} are
 * thread-safe.
 */
final class LaneRunner implements Runnable {

    private static final Logger log = LoggerFactory.getLogger(LaneRunner.class);

    /**
     * Warns of the first two failures, since the second one comes after a new connection and may say more; then only
     * now and then.
     */
    private static final int WARN_OF_FIRST = 2;

    private static final int WARN_EVERY = 20;

    /** An application that makes bad jobs makes many of them. */
    private static final int WARN_EVERY_PARKED = 100;

    private final int lane;
    private final Lanes lanes;
    private final LaneAcquisition acquisition;
    private final LaneContext context;
    private final Observers observers;
    private final Pace pace;
    private final BatchSize batchSize;
    private final WakeableSleep rest = new WakeableSleep();

    private long parkedSoFar;
    private @Nullable LaneOwnership ownership;
    private List<Row> unsettled = List.of();

    LaneRunner(int lane, Ports ports, LaneContext context, Observers observers, Pace pace) {
        this(lane, ports.lanes(), new LaneAcquisition(lane, ports, context), context, observers, pace);
    }

    LaneRunner(
            int lane, Lanes lanes, LaneAcquisition acquisition, LaneContext context, Observers observers, Pace pace) {
        this.lane = lane;
        this.lanes = lanes;
        this.acquisition = acquisition;
        this.context = context;
        this.observers = observers;
        this.pace = pace;
        this.batchSize = new BatchSize(context.limits(), context.publishTimeout());
    }

    @Override
    public void run() {
        Kind last = Kind.MOVED;
        Duration pause = Duration.ZERO;
        while (last != Kind.NOT_OURS && rest.take(pause, last == Kind.IDLE)) {
            Step step = runOnce();
            last = step.kind();
            pause = pace.after(step);
        }
        letGo();
    }

    /** Ends {@link #run} after the batch in hand, and gives the lane back. */
    void stop() {
        rest.end();
    }

    /**
     * Call this after jobs were committed: ends the rest of a lane in which no job waited. A rest after a failure goes
     * on.
     */
    void wake() {
        rest.wake();
    }

    /** Moves one batch of this lane. */
    Step runOnce() {
        pace.stepBegins();
        Step step = step();
        if (step.endsOwnership()) {
            endOwnership();
        }
        batchSize.after(step, pace.took());
        act(step);
        return step;
    }

    private Step step() {
        try {
            if (ownership == null) {
                LaneAcquisition.Result acquired = acquisition.acquire(unsettled);
                if (acquired.ownership() == null) {
                    return Objects.requireNonNull(acquired.instead());
                }
                ownership = acquired.ownership();
                unsettled = List.of();
            }
            return context.pauses().everything()
                    ? Step.of(Kind.BLOCKED)
                    : ownership.step(context.pauses().refusals(), batchSize.next());
        } catch (ExternalFailureException e) {
            return Step.failed(e.origin(), String.valueOf(e.getMessage()));
        } catch (LaneHaltedException e) {
            return Step.halted(String.valueOf(e.getMessage()));
        } catch (RuntimeException bug) {
            log.error("lane {} met an unexpected failure; its uncommitted work is rolled back", lane, bug);
            return Step.failed(Origin.ENQUEUER, String.valueOf(bug));
        }
    }

    /** Acts on a step, except for the rest after it. */
    private void act(Step step) {
        if (step.settled() != null) {
            observers.meters().settled(step.settled());
            report(step.settled());
        }
        switch (step.kind()) {
            case MOVED, IDLE, BLOCKED -> works(step);
            case SUPERSEDED ->
                log.info(
                        "lane {} has a newer generation than {}, or a server that was started since; beginning again",
                        lane,
                        acquisition.generation());
            case FAILED -> failed(step);
            case HALTED -> halted(step);
            case NOT_OURS -> {}
        }
    }

    private void works(Step step) {
        observers.health().laneWorks(lane);
        if (step.kind() == Kind.MOVED && pace.failures() > 0) {
            log.info("lane {} publishes again after {} failures", lane, pace.failures());
        }
    }

    private void failed(Step step) {
        Origin origin = Objects.requireNonNull(step.origin());
        observers.health().laneFailed(lane, origin, step.reason());
        observers.meters().failed(step);
        int failures = pace.failures() + 1;
        if (failures <= WARN_OF_FIRST || failures % WARN_EVERY == 0) {
            log.warn(
                    "could not move lane {} ({} time(s) in a row): {}. Its jobs stay staged, none is lost. It is"
                            + " tried again within seconds.",
                    lane,
                    failures,
                    step.reason());
        }
    }

    private void halted(Step step) {
        Health.Halted halted = observers.health().laneHalted(lane, step.reason());
        if (!halted.changed()) {
            return;
        }
        if (halted.like().isPresent()) {
            log.error(
                    "lane {} is also halted, for the same reason as lane {}",
                    lane,
                    halted.like().getAsInt());
        } else {
            log.error(
                    "lane {} is halted: {}. It publishes and deletes nothing until a person has acted; see"
                            + " operations.md \"A lane is halted\".",
                    lane,
                    step.reason());
        }
    }

    private void report(Settled settled) {
        int published = settled.outcome().published().size();
        log.debug(
                "lane {}: of {} jobs {} published, {} moved aside",
                lane,
                settled.batch().jobs().size(),
                published,
                settled.aside().size());
        if (settled.deleted().rows() < published) {
            log.warn(
                    "lane {}: {} of {} published jobs had already been deleted by somebody else",
                    lane,
                    published - settled.deleted().rows(),
                    published);
        }
        for (Moved job : settled.aside()) {
            if (!job.held() && job.why().reason() != Refusal.Reason.FOLLOWS && parkedSoFar++ % WARN_EVERY_PARKED == 0) {
                log.warn(
                        "lane {}: parked the job with id {}: {}. Later jobs of its key join it; see `staged-jobs parked"
                                + " list`. The next {} are not logged.",
                        lane,
                        job.row().id(),
                        job.why().detail(),
                        WARN_EVERY_PARKED - 1);
            }
        }
    }

    private void letGo() {
        endOwnership();
        observers.health().laneWorks(lane); // its present owner reports it
        try {
            lanes.giveBack(lane, acquisition.generation());
        } catch (ExternalFailureException e) {
            log.info("could not give lane {} back: {}. The next heartbeat does.", lane, e.getMessage());
        }
    }

    private void endOwnership() {
        if (ownership != null) {
            unsettled = ownership.unsettled();
            ownership.close();
            ownership = null;
        }
    }
}
