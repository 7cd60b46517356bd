package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.function.BooleanSupplier;

/** Nothing fails, and nothing else happens; only while a call has to wait, what a test wants to. For one thread. */
final class CalmWorld implements World {

    /** An enqueuer process. */
    static final class Process implements Caller {
        boolean dead;

        @Override
        public boolean seemsAlive() {
            return !dead;
        }

        @Override
        public boolean crashed() {
            return false;
        }
    }

    private final Random random = new Random(1);
    private Runnable meanwhile = () -> {};
    private Runnable atNextCommit = () -> {};
    private Fate ofNextCommit = Fate.DONE;
    private long nanoTime;

    /** Happens whenever a call has to wait. */
    void meanwhile(Runnable happens) {
        meanwhile = happens;
    }

    /** Happens just before the next commit is carried out, and decides what becomes of it. */
    void atNextCommit(Runnable happens, Fate fate) {
        atNextCommit = happens;
        ofNextCommit = fate;
    }

    @Override
    public long nanoTime() {
        return nanoTime;
    }

    @Override
    public boolean chance(double probability) {
        return random.nextDouble() < probability;
    }

    @Override
    public <T> T oneOf(List<T> all) {
        return all.get(random.nextInt(all.size()));
    }

    @Override
    public Fate fate() {
        return Fate.DONE;
    }

    @Override
    public Fate fateOfCommit() {
        Fate fate = ofNextCommit;
        ofNextCommit = Fate.DONE;
        return fate;
    }

    @Override
    public void step(String what, Object detail) {}

    @Override
    public void commitStep(String what, Object detail) {
        Runnable happens = atNextCommit;
        atNextCommit = () -> {};
        happens.run();
    }

    @Override
    public boolean await(String what, BooleanSupplier condition, Duration atMost) {
        if (!condition.getAsBoolean()) {
            meanwhile.run();
        }
        if (!condition.getAsBoolean()) {
            nanoTime += atMost.toNanos();
        }
        return condition.getAsBoolean();
    }

    @Override
    public void note(Object who, String what, Object detail) {}
}
