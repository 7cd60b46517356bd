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
 * <p>Threads: one for the {@link Heartbeat}, one that starts and stops lanes, one a lane, and one a lane that reads
 * ahead while a backlog waits. All methods here may be called from any thread.
 */
public final class Enqueuer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Enqueuer.class);

    private static final Duration BACKLOG_EVERY = Duration.ofSeconds(15);

    /** Who stands by looks that much more often, so that a dead owner's lane does not wait for it. */
    private static final int BEATS_STANDING_BY = 4;

    /**
     * The numbers that shape it.
     *
     * @param limits of one batch
     * @param publishTimeout how long a batch may wait for Kafka
     * @param batchInterval least time from the beginning of one batch to that of the next, while no backlog waits
     * @param lookMax the longest time between two looks for jobs while nothing waits
     * @param heartbeat how often the row is renewed; well below the age at which the others take our lanes
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
    private final Shared shared;
    private final Observers observers;
    private final Map<Integer, Running> running = new ConcurrentHashMap<>();
    private final Heartbeat heartbeat;
    private final Thread heart;
    private final Thread keeper = new Thread(this::keepLanes, "lanes");
    private final Rest keeperRest = new Rest();
    private volatile Membership.@Nullable Census census;

    /** The publisher and the lanes stay the caller's to close, after this. */
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
        this.observers = new Observers(health, new Meters(registry, running::size, health::lanesHalted));
        this.shared = new Shared(
                options.limits,
                options.publishTimeout,
                new Pauses(),
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

    /** Jobs were committed: those are looked for at once. */
    public void wake() {
        running.values().forEach(lane -> lane.runner.wake());
    }

    /** How many jobs this process has published. */
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
        stopLanes(); // those that were being started
        for (Running lane : new ArrayList<>(running.values())) {
            clean &= joined(lane.thread, deadline);
        }
        if (clean) {
            leave();
        } else {
            log.warn(
                    "could not finish every batch within {} s; what is open is rolled back, no job is lost",
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
        shared.pauses().set(now.pauses());
        census = now;
        keeperRest.wake();
    }

    /** After each heartbeat starts and stops lanes so that we own our fair share; measures the backlog now and then. */
    private void keepLanes() {
        try {
            long backlogAt = System.nanoTime();
            while (keeperRest.take(BACKLOG_EVERY, true)) {
                backlogAt = keepOnce(backlogAt);
            }
        } catch (Error e) {
            observers.health().failed(Origin.ENQUEUER, "no lane is started any more (" + e + "); restart this process");
            throw e;
        }
    }

    /** @return when the backlog is to be measured next */
    private long keepOnce(long backlogAt) {
        try {
            Membership.Census now = census;
            census = null;
            if (now != null) {
                share(now);
            }
            if (System.nanoTime() - backlogAt >= 0) {
                observers.meters().backlog(membership.backlog());
                return System.nanoTime() + BACKLOG_EVERY.toNanos();
            }
        } catch (ExternalFailureException e) {
            log.debug("{}; tried again with the next heartbeat", e.getMessage());
        } catch (RuntimeException bug) {
            log.error("could not start or stop lanes; tried again with the next heartbeat", bug);
        }
        return backlogAt;
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

    /**
     * Lanes that are ours without a thread here: a lane's end could not tell, and the others leave a live owner its
     * lanes.
     */
    private void giveBackStrays(Set<Integer> ours) {
        ours.removeAll(running.keySet());
        if (!ours.isEmpty()) {
            membership.giveBackStrays(ours);
        }
    }

    private Running startLane(int lane) {
        Pace pace =
                new Pace(new Pace.Intervals(options.batchInterval, options.lookMax), shared.nanoTime(), new Random());
        LaneRunner runner = new LaneRunner(lane, ports, shared, observers, pace);
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
