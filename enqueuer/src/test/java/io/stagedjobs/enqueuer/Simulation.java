package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.SimulatedEnqueuer.SimulatedThread;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;

/**
 * One interleaving of the lane protocol, chosen by a seed: several enqueuers, writers, an operator, faults, and in the
 * end whether every promise was kept.
 *
 * <p><b>What is real:</b> {@link LaneRunner}, {@link MovedAside}, {@link Reconciliation}, {@link Pace} and
 * {@link OperatorPauses}, unchanged.
 *
 * <p><b>What is modelled:</b> PostgreSQL behind {@link Lanes} ({@link ModelStore}), Kafka behind {@link Publisher}
 * ({@link ModelBroker}), the clock, business transactions ({@link SimulatedWriters}), an operator who requeues,
 * discards and pauses. {@link Ledger} knows the truth and holds the checks.
 *
 * <p><b>How a run goes:</b> each call to a port is a step, some are several. At a step everything else may happen:
 * another thread goes on, for a step or for many; a writer does something; time passes; an enqueuer is killed, stopped,
 * wakes up as a zombie, loses its heartbeat only, or gives a lane back; PostgreSQL crashes; a Kafka transaction times
 * out; a topic comes or goes; its broker dies or is back; a copy of the database is started when the lane has gone on
 * under another channel; a late commit request arrives. A call itself may fail before or after it took effect, or take
 * effect later. Which of these happen at all, how often, and how large everything is, belongs to the seed too: a run
 * with few kinds of trouble goes deeper into them than one with all. Exactly one thread runs at any time
 * ({@link Turns}), so that a seed is one story and always the same one.
 *
 * <p>After the trouble comes calm: the writers finish, topics exist, nothing fails any more, at least one enqueuer
 * runs. Within a bounded number of steps everything has to drain except what is parked for a reason. Then stopped
 * enqueuers wake up and what is still under way arrives, without doing harm; and in the end a person mends and requeues
 * what is parked, and nothing is left.
 *
 * <p><b>What is not modelled:</b> the SQL and the Kafka clients themselves (the tests on real servers are for that),
 * delivery mode at-least-once, restores, lossy failovers and copies that publish, several partitions of a topic, the
 * fair share of lanes, and what happens inside a statement: each is one atomic step under the lane's lock.
 *
 * <p><b>To repeat a seed</b> with its trace: {@code -Dtest=SimulatorTest -Dmodel.seed=…}; {@code -Dmodel.runs=…} sets
 * how many are run, from that seed on.
 */
final class Simulation implements World {

    /** How one run ended. */
    record Result(long seed, String violation, int steps, int published, int channels, List<String> trace) {

        /** With its last lines only; the test prints all of them for a seed that it was asked for. */
        String story(int linesMax) {
            List<String> last = trace.subList(Math.max(0, trace.size() - linesMax), trace.size());
            return "seed " + seed + ", after " + steps + " steps: " + violation + "\n" + String.join("\n", last);
        }
    }

    /** Something that may happen at a step. */
    private record Event(int weight, BooleanSupplier happens) {}

    /** Ends a thread of an enqueuer that was killed, or of a simulation that is over. */
    private static final class Gone extends Error {
        Gone() {
            super(null, null, false, false);
        }
    }

    private enum Phase {
        TROUBLE,
        CALM,
        ZOMBIES,
        MENDED,
        OVER
    }

    private static final long STEP_NANOS = Duration.ofMillis(1).toNanos();
    private static final int CALM_STEPS_MAX = 3_000;
    private static final int ZOMBIE_STEPS = 60;

    private final long seed;
    private final Random random;
    private final Turns turns;
    private final Turns.Seat conductor;
    private final List<String> trace;

    private final Ledger ledger = new Ledger();
    private final Flaw flaw;
    private final ModelStore store;
    private ModelStore copy;
    private boolean copyStarted;
    private final ModelBroker broker;
    private final SimulatedWriters writers;
    private final List<SimulatedEnqueuer> enqueuers = new ArrayList<>();
    private final List<SimulatedThread> threads = new ArrayList<>();
    private final List<Event> always = new ArrayList<>();
    private final List<Event> trouble = new ArrayList<>();

    private final int lanes;
    private final int enqueuersAtOnce;
    private final BatchLimits limits;
    private final List<String> topics;
    private final double switches;
    private final double events;
    private final double bursts;
    private final double faults;
    private final double troubleAtCommits;
    private final int troubleSteps;

    private Phase phase = Phase.TROUBLE;
    private SimulatedThread running;
    private long nanoTime;
    private int steps;
    private int phaseEnds;

    private Simulation(long seed, Flaw flaw, Turns turns, List<String> trace) {
        this.seed = seed;
        this.random = new Random(seed * 0x9E3779B97F4A7C15L);
        this.flaw = flaw;
        this.turns = turns;
        this.conductor = turns.mine();
        this.trace = trace;
        lanes = 1 + below(2);
        enqueuersAtOnce = 1 + below(3);
        limits = new BatchLimits(oneOf(List.of(1, 2, 2, 3, 5, 50)), chance(0.8) ? 1_000_000 : 100 + below(200));
        topics = chance(0.5) ? List.of("t0") : List.of("t0", "t1");
        switches = oneOf(List.of(0.05, 0.15, 0.4));
        events = oneOf(List.of(0.1, 0.3, 0.6));
        bursts = oneOf(List.of(0.0, 0.02, 0.1));
        faults = oneOf(List.of(0.0, 0.02, 0.08));
        troubleAtCommits = oneOf(List.of(0.0, 0.03, 0.1));
        troubleSteps = 60 + below(200);
        store = flaw.store(this, ledger, lanes);
        broker = flaw.broker(this, ledger, store, lanes);
        double refused = chance(0.4) ? 0.15 : 0;
        double asynchronous = chance(0.3) ? 0.5 : 0;
        writers = new SimulatedWriters(
                this,
                ledger,
                store,
                new SimulatedWriters.Work(5 + below(16), topics, 1 + below(3), lanes, refused, asynchronous));
        boolean topicsMissing = chance(0.4);
        topics.forEach(topic -> broker.topic(topic, !topicsMissing || chance(0.5)));
        arrange(topicsMissing, refused > 0, asynchronous > 0);
    }

    private void arrange(boolean topicsMissing, boolean refused, boolean asynchronous) {
        always.add(new Event(oneOf(List.of(10, 40, 80)), () -> writers.step()));
        always.add(new Event(8, () -> store.noticeBrokenConnection()));
        always.add(new Event(8, () -> broker.deliverLateRequest()));
        always.add(new Event(oneOf(List.of(3, 10, 30)), () -> broker.writeMarker()));
        trouble.addAll(always);
        trouble.add(new Event(6, this::timePasses));
        maybe(0.6, 2, this::kill);
        maybe(0.6, 4, this::stop);
        maybe(1.0, 5, this::goOn);
        maybe(0.3, 2, this::heartbeatFails);
        maybe(0.2, 2, this::giveBack);
        maybe(0.3, 2, () -> broker.timeOut());
        maybe(asynchronous ? 1 : 0.2, 1, this::crashPostgres);
        maybe(topicsMissing ? 1 : 0, 4, () -> broker.changeTopic());
        maybe(0.4, 4, () -> broker.changeHealth());
        if (chance(0.3)) {
            trouble.add(new Event(3, this::copyDatabase));
            trouble.add(new Event(8, this::startCopy));
        }
        maybe(0.15, 3, this::pause);
        maybe(refused ? 0.7 : 0, 4, () -> store.operate(true));
    }

    private void maybe(double chance, int weight, BooleanSupplier happens) {
        if (chance(chance)) {
            trouble.add(new Event(weight, happens));
        }
    }

    /** Runs the interleaving of that seed; if a promise was broken, runs it again for its trace. */
    static Result run(long seed, Flaw flaw, Turns turns) {
        Result result = new Simulation(seed, flaw, turns, null).run();
        return result.violation == null ? result : traced(seed, flaw, turns);
    }

    /** The same with its trace in any case. */
    static Result traced(long seed, Flaw flaw, Turns turns) {
        return new Simulation(seed, flaw, turns, new ArrayList<>()).run();
    }

    private Result run() {
        for (int i = 0; i < enqueuersAtOnce; i++) {
            start();
        }
        goOnWith(decide(null), conductor);
        phase = Phase.OVER;
        for (SimulatedThread thread : threads) {
            if (!thread.finished) {
                goOnWith(thread, conductor);
            }
        }
        return new Result(
                seed,
                ledger.violation(),
                steps,
                ledger.published(),
                broker.channels(),
                trace == null ? List.of() : trace);
    }

    // Turns.

    Turns.Seat seat(SimulatedThread thread) {
        return turns.seat(() -> live(thread));
    }

    private void live(SimulatedThread thread) {
        try {
            if (phase != Phase.OVER) {
                thread.run();
            }
        } catch (Gone gone) {
            // killed, or the simulation is over
        } catch (RuntimeException | Error e) {
            ledger.broken("the simulation itself failed: " + e);
            e.printStackTrace();
        }
        thread.finished = true;
        if (phase != Phase.OVER) {
            threads.remove(thread);
        }
        SimulatedThread next = phase == Phase.OVER ? null : decide(null);
        running = next;
        turns.leave(thread.seat, next == null ? conductor : next.seat);
    }

    private void goOnWith(SimulatedThread next, Turns.Seat from) {
        running = next;
        turns.pass(from, next == null ? conductor : next.seat);
    }

    @Override
    public void step(String what, Object detail) {
        steps++;
        nanoTime += STEP_NANOS;
        note(running.enqueuer(), what, detail);
        yieldTurn();
    }

    @Override
    public void commitStep(String what, Object detail) {
        SimulatedEnqueuer me = running.enqueuer();
        if (phase == Phase.TROUBLE && chance(troubleAtCommits)) {
            if (chance(0.3)) {
                kill(me);
            } else {
                note(me, "is stopped", "");
                me.stop();
            }
        }
        step(what, detail);
    }

    private void yieldTurn() {
        SimulatedThread me = running;
        SimulatedThread next = decide(me);
        if (next != me) {
            goOnWith(next, me.seat);
        }
        if (phase == Phase.OVER || me.enqueuer().crashed()) {
            throw new Gone();
        }
    }

    @Override
    public boolean await(String what, BooleanSupplier condition, Duration atMost) {
        if (condition.getAsBoolean()) {
            return true;
        }
        SimulatedThread me = running;
        note(me.enqueuer(), what, "");
        me.awaited = condition;
        me.deadline = nanoTime + atMost.toNanos();
        yieldTurn();
        me.awaited = null;
        return condition.getAsBoolean();
    }

    /** One more thread of an enqueuer begins. */
    void start(SimulatedThread thread) {
        threads.add(thread);
    }

    void rest(Duration rest) {
        await("rests", () -> false, rest);
    }

    /** Who has the next turn after what happens before it; null if the simulation is over. */
    private SimulatedThread decide(SimulatedThread me) {
        if (phase == Phase.TROUBLE && chance(bursts)) {
            // Between two steps of one thread the others may do a lot.
            for (int i = below(12); i >= 0; i--) {
                event();
            }
        }
        while (true) {
            advance();
            if (phase == Phase.OVER || ledger.violation() != null) {
                return null;
            }
            if (chance(events) && event()) {
                continue;
            }
            if (me != null && canRun(me) && !chance(switches)) {
                return me;
            }
            SimulatedThread next = another();
            if (next != null) {
                return next;
            }
            if (chance(0.5) || !event()) {
                wakeFirst();
            }
        }
    }

    private static boolean canRun(SimulatedThread thread) {
        return !thread.finished && thread.enqueuer().running() && thread.runnable();
    }

    private SimulatedThread another() {
        int runnable = 0;
        SimulatedThread chosen = null;
        for (SimulatedThread thread : threads) {
            if (canRun(thread) && below(++runnable) == 0) {
                chosen = thread;
            }
        }
        return chosen;
    }

    /** Nobody can do anything now: until the next deadline. */
    private void wakeFirst() {
        long first = Long.MAX_VALUE;
        for (SimulatedThread thread : threads) {
            if (!thread.finished && thread.enqueuer().running()) {
                first = Math.min(first, thread.deadline);
            }
        }
        if (first == Long.MAX_VALUE) { // all are dead or stopped
            start();
        } else {
            pass(Math.max(0, first - nanoTime));
        }
        steps++; // so that it ends
    }

    private boolean event() {
        List<Event> possible = phase == Phase.TROUBLE ? trouble : always;
        int weights = 0;
        for (Event event : possible) {
            weights += event.weight;
        }
        int chosen = below(weights);
        for (Event event : possible) {
            chosen -= event.weight;
            if (chosen < 0) {
                return event.happens.getAsBoolean();
            }
        }
        return false;
    }

    // The course of a run.

    private void advance() {
        switch (phase) {
            case TROUBLE -> {
                if (steps >= troubleSteps) {
                    calmDown();
                    begin(Phase.CALM, CALM_STEPS_MAX);
                }
            }
            case CALM -> {
                if (drained()) {
                    ledger.drained(store);
                    wakeAll();
                    begin(Phase.ZOMBIES, ZOMBIE_STEPS);
                }
            }
            case ZOMBIES -> {
                if (steps >= phaseEnds) {
                    mend();
                    begin(Phase.MENDED, CALM_STEPS_MAX);
                }
            }
            case MENDED -> {
                if (drained()) {
                    ledger.drained(store);
                    if (store.anyParked()) {
                        ledger.broken("a job is parked again although nothing refuses it");
                    }
                    begin(Phase.OVER, 0);
                }
            }
            case OVER -> {}
        }
    }

    private void begin(Phase next, int stepsMax) {
        phase = next;
        phaseEnds = steps + stepsMax;
        note("simulation", "goes on with", next);
    }

    private boolean drained() {
        if (steps > phaseEnds) {
            ledger.broken("did not drain within " + CALM_STEPS_MAX + " steps: " + ledger.unsettled());
        }
        return writers.finished() && store.drained();
    }

    private void calmDown() {
        broker.allTopicsWritable();
        if (chance(0.4)) {
            leaveOne();
        }
        int runningNow = 0;
        for (SimulatedEnqueuer enqueuer : enqueuers) {
            enqueuer.pauses().set(Set.of());
            enqueuer.heartbeatFails(false);
            if (enqueuer.stopped() && chance(0.5)) {
                note(enqueuer, "wakes up", "");
                enqueuer.goOn();
            }
            runningNow += enqueuer.running() ? 1 : 0;
        }
        if (runningNow == 0) {
            start();
        }
    }

    /** Only one is left, which may have lost its lanes to others meanwhile: nobody takes over from it. */
    private void leaveOne() {
        List<SimulatedEnqueuer> left =
                enqueuers.stream().filter(enqueuer -> !enqueuer.crashed()).toList();
        if (!left.isEmpty()) {
            SimulatedEnqueuer survivor = oneOf(left);
            left.stream().filter(enqueuer -> enqueuer != survivor).forEach(enqueuer -> {
                note(enqueuer, "is killed", "");
                enqueuer.crash();
            });
            survivor.goOn();
        }
    }

    private void wakeAll() {
        enqueuers.stream().filter(SimulatedEnqueuer::stopped).forEach(enqueuer -> {
            note(enqueuer, "wakes up", "");
            enqueuer.goOn();
        });
    }

    private void mend() {
        ledger.mendAll();
        while (store.anyParked()) {
            if (!store.operate(false)) {
                store.endAll();
            }
        }
    }

    // Trouble.

    private void start() {
        SimulatedEnqueuer enqueuer = enqueuer("e" + enqueuers.size(), store);
        note(enqueuer, "starts", "");
        enqueuers.add(enqueuer);
        for (int lane = 0; lane < lanes; lane++) {
            threads.add(enqueuer.lane(lane));
        }
    }

    private SimulatedEnqueuer enqueuer(String name, ModelStore itsStore) {
        return new SimulatedEnqueuer(
                name, this, ledger, new SimulatedEnqueuer.Stores(itsStore, broker, itsStore != store), flaw, limits);
    }

    private boolean copyDatabase() {
        copy = copyStarted ? copy : store.copy();
        return true;
    }

    /**
     * Where the lane has published under a higher channel since, though the batches may be the same: it is found out.
     */
    private boolean startCopy() {
        if (copy == null || copyStarted) {
            return false;
        }
        SimulatedEnqueuer enqueuer = enqueuer("copy", copy);
        for (int lane = 0; lane < lanes; lane++) {
            if (broker.channel(lane) > copy.channel(lane)) {
                note(enqueuer, "starts on a copy of the database, lane", lane);
                threads.add(enqueuer.lane(lane));
                copyStarted = true;
            }
        }
        return copyStarted;
    }

    private SimulatedEnqueuer anyRunning() {
        List<SimulatedEnqueuer> found =
                enqueuers.stream().filter(SimulatedEnqueuer::running).toList();
        return found.isEmpty() ? null : oneOf(found);
    }

    private boolean kill() {
        SimulatedEnqueuer victim = anyRunning();
        if (victim == null) {
            return false;
        }
        kill(victim);
        return true;
    }

    private void kill(SimulatedEnqueuer victim) {
        note(victim, "is killed", "");
        victim.crash();
        if (chance(0.5)) {
            start();
        }
    }

    private boolean stop() {
        SimulatedEnqueuer victim = anyRunning();
        if (victim == null) {
            return false;
        }
        note(victim, "is stopped", "");
        victim.stop();
        return true;
    }

    private boolean goOn() {
        List<SimulatedEnqueuer> stopped =
                enqueuers.stream().filter(SimulatedEnqueuer::stopped).toList();
        if (stopped.isEmpty()) {
            return false;
        }
        SimulatedEnqueuer zombie = oneOf(stopped);
        note(zombie, "wakes up", "");
        zombie.goOn();
        return true;
    }

    private boolean heartbeatFails() {
        SimulatedEnqueuer victim = anyRunning();
        if (victim == null) {
            return false;
        }
        victim.heartbeatFails(!victim.heartbeatFails());
        note(victim, "loses its heartbeat:", victim.heartbeatFails());
        return true;
    }

    private boolean giveBack() {
        SimulatedThread thread = oneOf(threads);
        thread.giveBack();
        return canRun(thread);
    }

    private boolean crashPostgres() {
        writers.connectionsLost();
        store.crash();
        return true;
    }

    private boolean pause() {
        SimulatedEnqueuer enqueuer = anyRunning();
        if (enqueuer == null) {
            return false;
        }
        Set<String> paused =
                switch (below(4)) {
                    case 0 -> Set.of(Membership.ALL_TOPICS);
                    case 1 -> Set.of(oneOf(topics));
                    default -> Set.<String>of();
                };
        note(enqueuer, "sees as paused", paused);
        enqueuer.pauses().set(paused);
        return true;
    }

    private boolean timePasses() {
        pass(Duration.ofMillis(oneOf(List.of(10, 300, 6_000, 11_000))).toNanos());
        return true;
    }

    private void pass(long nanos) {
        nanoTime += nanos;
        if (nanos > 1_000 * STEP_NANOS) {
            note("clock", "seconds pass:", nanos / 1e9);
        }
        store.tick();
    }

    // What the models ask.

    @Override
    public long nanoTime() {
        return nanoTime;
    }

    RandomGenerator random() {
        return random;
    }

    @Override
    public boolean chance(double probability) {
        return probability > 0 && random.nextDouble() < probability;
    }

    int below(int bound) {
        return random.nextInt(bound);
    }

    @Override
    public <T> T oneOf(List<T> all) {
        return all.get(below(all.size()));
    }

    @Override
    public Fate fate() {
        return fate(faults);
    }

    @Override
    public Fate fateOfCommit() {
        return fate(faults + 2 * troubleAtCommits);
    }

    private Fate fate(double faults) {
        if (phase != Phase.TROUBLE || !chance(faults)) {
            return Fate.DONE;
        }
        Fate fate = Fate.values()[1 + below(3)];
        note(running.enqueuer(), "gets no answer, the call is", fate);
        return fate;
    }

    @Override
    public void note(Object who, String what, Object detail) {
        if (trace != null) {
            Object told = detail instanceof Supplier<?> later ? later.get() : detail;
            boolean ofLane = who instanceof SimulatedEnqueuer && running != null && who == running.enqueuer();
            trace.add(String.format(
                    "%5d %9.3f s  %-12s %s %s",
                    steps, nanoTime / 1e9, ofLane ? who + " " + running.what : who, what, told));
        }
    }
}
