package io.stagedjobs.enqueuer;

import io.micrometer.core.instrument.composite.CompositeMeterRegistry;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * One enqueuer process: the real {@link LaneRunner}s of all lanes, each on a simulated thread, and a heartbeat without
 * one. It does not look for its fair share of the lanes: it tries to take whatever is free, and gives a lane back when
 * it is told to.
 */
final class SimulatedEnqueuer implements World.Caller {

    static final Duration TAKEOVER_AFTER = Duration.ofSeconds(10);
    private static final Duration HEARTBEAT = Duration.ofSeconds(4);

    /** Counts into the void; shared by all simulations. */
    private static final Meters METERS =
            new Meters(new CompositeMeterRegistry(), () -> 0, new Health(), System::nanoTime);

    /** A thread of this process. */
    abstract class SimulatedThread {
        final String what;
        final Turns.Seat seat;
        /** What it waits for; null while it waits for its turn only. */
        BooleanSupplier awaited;

        long deadline;
        boolean finished;

        private SimulatedThread(String what) {
            this.what = what;
            this.seat = simulation.seat(this);
        }

        SimulatedEnqueuer enqueuer() {
            return SimulatedEnqueuer.this;
        }

        boolean runnable() {
            return awaited == null || awaited.getAsBoolean() || simulation.nanoTime() - deadline >= 0;
        }

        abstract void run();

        /** Its lane is to be given back, if it moves one. */
        void giveBack() {}
    }

    /** The thread of one lane. */
    private final class LaneThread extends SimulatedThread {
        private final int lane;
        private boolean toGiveBack;

        private LaneThread(int lane) {
            super("lane " + lane);
            this.lane = lane;
        }

        /** Moves batch after batch, like {@link LaneRunner#run}, with the simulation's clock. */
        @Override
        void run() {
            Pace pace = pace();
            LaneRunner runner = runner(pace);
            while (true) {
                Step step = runner.runOnce();
                Duration rest = pace.after(step);
                checkHealth();
                if (ofCopy && step.kind() == Step.Kind.MOVED) {
                    ledger.broken("a copy of the database moves jobs");
                }
                if (step.kind() == Step.Kind.NOT_OURS || toGiveBack) {
                    toGiveBack = false;
                    runner.stop();
                    runner.run(); // ends at once, and lets go of the lane
                    pace = pace();
                    runner = runner(pace);
                    simulation.rest(HEARTBEAT);
                } else {
                    simulation.rest(rest);
                }
            }
        }

        private Pace pace() {
            return new Pace(
                    new Pace.Intervals(Duration.ofMillis(8), Duration.ofSeconds(2)),
                    simulation::nanoTime,
                    simulation.random());
        }

        private LaneRunner runner(Pace pace) {
            LaneAcquisition acquisition = flaw.acquisition(lane, ports, context);
            return new LaneRunner(lane, ports.lanes(), acquisition, context, new Observers(health, METERS), pace);
        }

        @Override
        void giveBack() {
            toGiveBack = true;
        }

        /** Nothing was restored or copied, and nothing is worse than a failure from outside. */
        private void checkHealth() {
            health.problems().forEach((who, why) -> {
                if (who.startsWith("lane ") && ofCopy) {
                    return; // as it has to
                } else if (who.startsWith("lane ")) {
                    ledger.broken(who + " was halted: " + why);
                } else if (who.equals(Origin.ENQUEUER.label())) {
                    ledger.broken("the decision code failed: " + why);
                }
            });
        }
    }

    /** A thread that does one thing and ends. */
    private final class BackgroundThread<T> extends SimulatedThread {
        private final Supplier<T> task;
        private T result;
        private ExternalFailureException failure;
        private boolean done;

        private BackgroundThread(Supplier<T> task) {
            super("reads ahead");
            this.task = task;
        }

        @Override
        void run() {
            try {
                result = task.get();
            } catch (ExternalFailureException e) {
                failure = e;
            }
            done = true;
        }

        /** On another thread. */
        T answer() {
            if (!simulation.await("waits for what is read ahead", () -> done, Duration.ofMinutes(1))) {
                throw new ExternalFailureException(Origin.POSTGRESQL, "no answer", null);
            }
            if (failure != null) {
                throw failure;
            }
            return result;
        }
    }

    /** @param isCopy whether the database is a copy of the one whose jobs are to be published */
    record Stores(ModelStore store, ModelBroker broker, boolean isCopy) {}

    private final String name;
    private final boolean ofCopy;
    private final Flaw flaw;
    private final Simulation simulation;
    private final Ledger ledger;
    private final OperatorPauses pauses = new OperatorPauses();
    private final Health health = new Health();
    private final Ports ports;
    private final LaneContext context;
    private boolean crashed;
    private boolean stopped;
    private boolean heartbeatFails;
    private long seenAt;

    SimulatedEnqueuer(String name, Simulation simulation, Ledger ledger, Stores stores, Flaw flaw, BatchLimits limits) {
        this.name = name;
        this.ofCopy = stores.isCopy;
        this.flaw = flaw;
        this.simulation = simulation;
        this.ledger = ledger;
        Lanes lanes = stores.store.client(this);
        this.ports = new Ports(lanes, stores.broker.client(this));
        this.context = new LaneContext(
                limits,
                Duration.ofSeconds(10),
                pauses,
                new CommitHorizon(lanes, simulation::nanoTime),
                new HeldTopics(simulation::nanoTime),
                new LaneReader.Background() {
                    @Override
                    public <T> Supplier<T> start(Supplier<T> task) {
                        BackgroundThread<T> thread = new BackgroundThread<>(task);
                        simulation.start(thread);
                        return thread::answer;
                    }
                },
                simulation::nanoTime);
    }

    SimulatedThread lane(int lane) {
        return new LaneThread(lane);
    }

    OperatorPauses pauses() {
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
