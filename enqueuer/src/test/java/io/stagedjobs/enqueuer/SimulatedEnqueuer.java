package io.stagedjobs.enqueuer;

import io.micrometer.core.instrument.composite.CompositeMeterRegistry;
import io.stagedjobs.enqueuer.OutsideException.Side;
import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * One enqueuer process: the real {@link LaneRunner}s of all lanes, each on a simulated thread, and a heartbeat without one. It
 * does not look for its fair share of the lanes: it tries to take whatever is free, and gives a lane back when it is told to.
 */
final class SimulatedEnqueuer implements World.Caller {

    static final Duration TAKEOVER_AFTER = Duration.ofSeconds(10);
    private static final Duration HEARTBEAT = Duration.ofSeconds(4);

    /** Counts into the void; shared by all simulations. */
    private static final Meters METERS = new Meters(new CompositeMeterRegistry(), () -> 0);

    /** The thread of one lane. */
    final class LaneThread {
        final int lane;
        final Turns.Seat seat;
        /** What it waits for; null while it waits for its turn only. */
        BooleanSupplier awaited;

        long deadline;
        boolean toGiveBack;
        boolean finished;

        private LaneThread(int lane) {
            this.lane = lane;
            this.seat = simulation.seat(this);
        }

        SimulatedEnqueuer enqueuer() {
            return SimulatedEnqueuer.this;
        }

        boolean runnable() {
            return awaited == null || awaited.getAsBoolean() || simulation.nanoTime() - deadline >= 0;
        }

        /** Moves batch after batch, like {@link LaneRunner#run}, with the simulation's clock. */
        void run() {
            LaneRunner runner = new LaneRunner(lane, tools);
            while (true) {
                Optional<Duration> rest = runner.runOnce();
                checkHealth();
                if (rest.isEmpty() || toGiveBack) {
                    toGiveBack = false;
                    runner.stop();
                    runner.run(); // ends at once, and lets go of the lane
                    runner = new LaneRunner(lane, tools);
                    simulation.rest(HEARTBEAT);
                } else {
                    simulation.rest(rest.get());
                }
            }
        }

        /** Nothing was restored or copied, and nothing is worse than a failure from outside. */
        private void checkHealth() {
            health.problems().forEach((who, why) -> {
                if (who.startsWith("lane ")) {
                    ledger.broken(who + " was halted: " + why);
                } else if (who.equals(Side.ENQUEUER.label())) {
                    ledger.broken("the decision code failed: " + why);
                }
            });
        }
    }

    private final String name;
    private final Simulation simulation;
    private final Ledger ledger;
    private final Pauses pauses = new Pauses();
    private final Health health = new Health();
    private final LaneRunner.Tools tools;
    private boolean crashed;
    private boolean stopped;
    private boolean heartbeatFails;
    private long seenAt;

    SimulatedEnqueuer(
            String name,
            Simulation simulation,
            Ledger ledger,
            ModelStore store,
            ModelBroker broker,
            BatchLimits limits) {
        this.name = name;
        this.simulation = simulation;
        this.ledger = ledger;
        Lanes lanes = store.client(this);
        this.tools = new LaneRunner.Tools(
                lanes,
                broker.client(this),
                new Horizon(lanes, simulation::nanoTime),
                limits,
                new LaneRunner.Rests(Duration.ofSeconds(2), Duration.ofSeconds(2)),
                new Gate(Integer.MAX_VALUE, Duration.ZERO), // who waits for whom is the simulation's to say
                pauses,
                health,
                METERS,
                simulation::nanoTime,
                simulation.random());
    }

    LaneThread lane(int lane) {
        return new LaneThread(lane);
    }

    Pauses pauses() {
        return pauses;
    }

    /** As long as it beats, it has just done so. */
    @Override
    public boolean seemsAlive() {
        beat();
        return simulation.nanoTime() - seenAt < TAKEOVER_AFTER.toNanos();
    }

    private void beat() {
        if (running() && !heartbeatFails) {
            seenAt = simulation.nanoTime();
        }
    }

    boolean running() {
        return !crashed && !stopped;
    }

    @Override
    public boolean crashed() {
        return crashed;
    }

    boolean stopped() {
        return stopped && !crashed;
    }

    void crash() {
        beat();
        crashed = true;
    }

    void stop() {
        beat();
        stopped = true;
    }

    void goOn() {
        stopped = false;
    }

    /** Its lanes go on, its heartbeat does not: the others take it for dead. */
    void heartbeatFails(boolean fails) {
        beat();
        heartbeatFails = fails;
    }

    boolean heartbeatFails() {
        return heartbeatFails;
    }

    @Override
    public String toString() {
        return name;
    }
}
