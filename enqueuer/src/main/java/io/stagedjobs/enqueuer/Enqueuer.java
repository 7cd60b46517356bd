package io.stagedjobs.enqueuer;

import io.micrometer.core.instrument.MeterRegistry;
import io.stagedjobs.enqueuer.OutsideException.Side;
import io.stagedjobs.internal.Backoff;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SortedSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One enqueuer process: keeps a {@link LaneRunner} for each lane it should own, and renews its row so that the others know
 * it lives.
 *
 * <p>Threads: one for the heartbeat, one for the {@link Lookout} and one a lane; all methods here may be called from any thread.
 */
public final class Enqueuer implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Enqueuer.class);
    private static final Backoff BEAT_FAILURES = new Backoff(Duration.ofMillis(200), Duration.ofSeconds(5));

    /** A lane that the lookout looks after looks by itself only to be sure, and for what it holds back. */
    private static final Duration LANE_REST = Duration.ofSeconds(30);

    /** More small batches at once take longer each, and make what they carry no sooner seen: decision 0021. */
    private static final int SMALL_BATCHES_AT_ONCE = 3;

    private static final Duration SMALL_BATCH_WAIT_MAX = Duration.ofMillis(10);

    private static final Duration BACKLOG_EVERY = Duration.ofSeconds(15);

    /**
     * The numbers that shape it.
     *
     * @param limits of one batch
     * @param idleMax the longest time between two looks for jobs while nothing waits
     * @param heartbeat how often the row is renewed; well below the age at which the others take our lanes
     * @param stopMax how long {@link #close} waits for batches in hand
     */
    public record Options(BatchLimits limits, Duration idleMax, Duration heartbeat, Duration stopMax) {}

    private record Running(LaneRunner runner, Thread thread) {}

    private final Membership membership;
    private final Options options;
    private final Health health;
    private final Pauses pauses = new Pauses();
    private final Map<Integer, Running> running = new ConcurrentHashMap<>();
    private final Rest rest = new Rest();
    private final Meters meters;
    private final LaneRunner.Tools tools;
    private final Lookout lookout;
    private final Thread heart = new Thread(this::run, "heartbeat");
    private final Thread looking;

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
        this.health = health;
        this.meters = new Meters(registry, running::size);
        this.tools = new LaneRunner.Tools(
                lanes,
                publisher,
                new Horizon(lanes, System::nanoTime),
                options.limits,
                new LaneRunner.Rests(LANE_REST, options.idleMax),
                new Gate(SMALL_BATCHES_AT_ONCE, SMALL_BATCH_WAIT_MAX),
                pauses,
                health,
                meters,
                System::nanoTime,
                new Random());
        this.lookout = new Lookout(lanes, this::runners, options.idleMax, pauses, System::nanoTime);
        this.looking = new Thread(lookout, "lookout");
    }

    /** Starts the threads; returns at once. */
    public void start() {
        heart.start();
        looking.start();
    }

    /** Jobs were committed: those are looked for at once. */
    public void wake() {
        lookout.wake();
    }

    /** How many jobs this process has published. */
    public double published() {
        return meters.published();
    }

    /** Lets batches in hand finish, gives the lanes back and leaves; waits at most {@link Options#stopMax} in all. */
    @Override
    public void close() {
        long deadline = System.nanoTime() + options.stopMax.toNanos();
        rest.end();
        lookout.end();
        stopLanes();
        boolean clean = joined(heart, deadline) && joined(looking, deadline);
        stopLanes(); // those that a last heartbeat started
        for (Running lane : new HashMap<>(running).values()) {
            clean &= joined(lane.thread, deadline);
        }
        if (clean) {
            leave();
        } else {
            log.warn(
                    "could not finish every batch within {} s; what is open is rolled back, no job is lost",
                    options.stopMax.toSeconds());
        }
        meters.close();
    }

    private void stopLanes() {
        running.values().forEach(lane -> lane.runner.stop());
    }

    private void leave() {
        try {
            membership.leave();
        } catch (OutsideException e) {
            log.info("could not leave cleanly: {}. The others take our lanes by themselves.", e.getMessage());
        }
    }

    private void run() {
        int failures = 0;
        long backlogAt = System.nanoTime();
        Duration pause = Duration.ZERO;
        while (rest.take(pause)) {
            try {
                beatOnce();
                health.reached(Side.POSTGRESQL);
                if (System.nanoTime() - backlogAt >= 0) {
                    measureBacklog();
                    backlogAt = System.nanoTime() + BACKLOG_EVERY.toNanos();
                }
                failures = 0;
                pause = options.heartbeat;
            } catch (RuntimeException e) {
                health.failed(Side.POSTGRESQL, String.valueOf(e.getMessage()));
                pause = BEAT_FAILURES.after(++failures, ThreadLocalRandom.current());
                if (failures == 1 || failures % 20 == 0) {
                    log.warn(
                            "the heartbeat failed ({} time(s) in a row): {}. If that lasts, other enqueuers take this one's"
                                    + " lanes; no job is lost. Next try in {} ms.",
                            failures,
                            e.getMessage(),
                            pause.toMillis());
                }
            }
        }
    }

    /** Keeps the last figures if the tables cannot be read now, because somebody has locked them for instance. */
    private void measureBacklog() {
        try {
            meters.backlog(membership.backlog());
        } catch (OutsideException e) {
            log.debug("could not measure the backlog: {}", e.getMessage());
        }
    }

    /** One heartbeat: renew, look, then start and stop lanes so that we own our fair share. */
    private void beatOnce() {
        running.values().removeIf(lane -> !lane.thread.isAlive());
        Membership.Census census = membership.beat();
        pauses.set(census.pauses());
        SortedSet<Integer> wanted = FairShare.of(census);
        running.forEach((lane, run) -> {
            if (!wanted.contains(lane)) {
                run.runner.stop();
            }
        });
        wanted.forEach(lane -> running.computeIfAbsent(lane, this::startLane));
        giveBackStrays(census.ours());
    }

    /** Lanes that are ours without a thread here: a lane's end could not tell, and the others leave a live owner its lanes. */
    private void giveBackStrays(Set<Integer> ours) {
        ours.removeAll(running.keySet());
        if (!ours.isEmpty()) {
            membership.giveBackStrays(ours);
        }
    }

    private Map<Integer, LaneRunner> runners() {
        Map<Integer, LaneRunner> runners = new HashMap<>();
        running.forEach((lane, run) -> runners.put(lane, run.runner));
        return runners;
    }

    private Running startLane(int lane) {
        LaneRunner runner = new LaneRunner(lane, tools);
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
