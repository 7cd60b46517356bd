package io.stagedjobs.enqueuer;

import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SortedSet;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One enqueuer process: keeps a {@link LaneRunner} for each lane it should own. An enqueuer without a lane stands by.
 *
 * <p>Threads: one for the {@link Heartbeat}, one that starts and stops lanes, one per lane, and in a backlog one more
 * per lane that reads ahead. All methods are thread-safe.
 */
public final class Enqueuer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Enqueuer.class);

    private static final Duration MEASURE_EVERY = Duration.ofSeconds(15);

    /** A standby looks this many times as often, so that a dead owner's lane does not wait for it. */
    private static final int BEATS_STANDING_BY = 4;

    /**
     * Its options.
     *
     * @param limits of one batch
     * @param publishTimeout how long a batch may wait for Kafka
     * @param batchInterval least time between the beginnings of two batches while no backlog waits
     * @param lookMax the longest time between two looks for jobs while no job waits
     * @param heartbeat the interval of heartbeats; well below the age at which others take our lanes
     * @param stopMax how long {@link #close} waits for batches in hand
     */
    public record Options(
            BatchLimits limits,
            Duration publishTimeout,
            Duration batchInterval,
            Duration lookMax,
            Duration heartbeat,
            Duration stopMax) {}

    private record Running(LaneRunner runner, Thread thread) {}

    private final Membership membership;
    private final Options options;
    private final Ports ports;
    private final LaneContext context;
    private final Observers observers;
    private final Map<Integer, Running> running = new ConcurrentHashMap<>();
    private final Heartbeat heartbeat;
    private final Thread heart;
    private final Thread keeper = new Thread(this::keepLanes, "lanes");
    private final WakeableSleep keeperRest = new WakeableSleep();
    private volatile Membership.@Nullable Census census;

    /** The caller must close the publisher and the lanes, after closing this. */
    public Enqueuer(
            Membership membership,
            Lanes lanes,
            Publisher publisher,
            Options options,
            Health health,
            MeterRegistry registry) {
        this.membership = membership;
        this.options = options;
        this.ports = new Ports(lanes, publisher);
        this.observers = new Observers(health, new Meters(registry, running::size, health, System::nanoTime));
        this.context = new LaneContext(
                options.limits,
                options.publishTimeout,
                new OperatorPauses(),
                new CommitHorizon(lanes, System::nanoTime),
                new HeldTopics(System::nanoTime),
                new BackgroundThreads("read-ahead"),
                System::nanoTime);
        this.heartbeat = new Heartbeat(membership, this::beatInterval, this::seen, health);
        this.heart = new Thread(heartbeat, "heartbeat");
    }

    /** Starts the threads; returns at once. */
    public void start() {
        heart.start();
        keeper.start();
    }

    /** Call this after jobs were committed: the lanes look for them at once. */
    public void wake() {
        running.values().forEach(lane -> lane.runner.wake());
    }

    /** The number of jobs that this process has published. */
    public long published() {
        return observers.meters().published();
    }

    /** Lets batches in hand finish, gives the lanes back and leaves; waits at most {@link Options#stopMax} in all. */
    @Override
    public void close() {
        long deadline = System.nanoTime() + options.stopMax.toNanos();
        heartbeat.end();
        keeperRest.end();
        stopLanes();
        boolean clean = joined(heart, deadline) && joined(keeper, deadline);
        stopLanes(); // including lanes just being started
        for (Running lane : new ArrayList<>(running.values())) {
            clean &= joined(lane.thread, deadline);
        }
        if (clean) {
            leave();
        } else {
            log.warn(
                    "could not finish every batch within {} s; open transactions are rolled back, no job is lost",
                    options.stopMax.toSeconds());
        }
        observers.meters().close();
    }

    private void stopLanes() {
        running.values().forEach(lane -> lane.runner.stop());
    }

    private void leave() {
        try {
            membership.leave();
        } catch (ExternalFailureException e) {
            log.info("could not leave cleanly: {}. The others take our lanes by themselves.", e.getMessage());
        }
    }

    private Duration beatInterval() {
        return running.isEmpty() ? options.heartbeat.dividedBy(BEATS_STANDING_BY) : options.heartbeat;
    }

    private void seen(Membership.Census now) {
        context.pauses().set(now.pauses());
        observers.meters().seen(now);
        census = now;
        keeperRest.wake();
    }

    /** Starts and stops lanes after each heartbeat, so that we own our fair share; regularly measures the outbox. */
    private void keepLanes() {
        try {
            long measureAt = System.nanoTime();
            while (keeperRest.take(MEASURE_EVERY, true)) {
                measureAt = keepOnce(measureAt);
            }
        } catch (Error e) {
            observers.health().failed(Origin.ENQUEUER, "it can start no more lanes (" + e + "); restart this process");
            throw e;
        }
    }

    /** @return the time of the next measurement */
    private long keepOnce(long measureAt) {
        try {
            Membership.Census now = census;
            census = null;
            if (now != null) {
                share(now);
            }
            if (System.nanoTime() - measureAt >= 0) {
                observers.meters().measured(membership.measure());
                return System.nanoTime() + MEASURE_EVERY.toNanos();
            }
        } catch (ExternalFailureException e) {
            log.debug("{}; tried again with the next heartbeat", e.getMessage());
        } catch (RuntimeException bug) {
            log.error("could not start or stop lanes; tried again with the next heartbeat", bug);
        }
        return measureAt;
    }

    private void share(Membership.Census now) {
        running.values().removeIf(lane -> !lane.thread.isAlive());
        SortedSet<Integer> wanted = FairShare.of(now);
        running.forEach((lane, run) -> {
            if (!wanted.contains(lane)) {
                run.runner.stop();
            }
        });
        wanted.forEach(lane -> running.computeIfAbsent(lane, this::startLane));
        observers.health().standsBy(running.isEmpty());
        giveBackStrays(now.ours());
    }

    /** Lanes that we own but do not run: giving them back failed, and others do not take a live owner's lanes. */
    private void giveBackStrays(Set<Integer> ours) {
        ours.removeAll(running.keySet());
        if (!ours.isEmpty()) {
            membership.giveBackStrays(ours);
        }
    }

    private Running startLane(int lane) {
        Pace pace =
                new Pace(new Pace.Intervals(options.batchInterval, options.lookMax), context.nanoTime(), new Random());
        LaneRunner runner = new LaneRunner(lane, ports, context, observers, pace);
        Thread thread = new Thread(runner, "lane-" + lane);
        thread.start();
        return new Running(runner, thread);
    }

    private static boolean joined(Thread thread, long deadline) {
        try {
            thread.join(Math.max(1, (deadline - System.nanoTime()) / 1_000_000));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return !thread.isAlive();
    }
}
