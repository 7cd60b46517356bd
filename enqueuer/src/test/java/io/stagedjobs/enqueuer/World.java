package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** What surrounds the models of both stores: time, chance, failures, and what else happens between two steps. */
interface World {

    /** What becomes of a call. */
    enum Fate {
        DONE,
        /** It took no effect and is not answered. */
        LOST,
        /** It took effect and is not answered. */
        UNANSWERED,
        /** It is not answered, and what it does is decided later. */
        LATE
    }

    /** Who calls a model, as the servers know it. */
    interface Caller {

        /** Whether its heartbeat is young enough. */
        boolean seemsAlive();

        /** Whether its process is gone, and its connections with it. */
        boolean crashed();
    }

    long nanoTime();

    boolean chance(double probability);

    <T> T oneOf(List<T> all);

    /** What becomes of the call that is carried out now. */
    Fate fate();

    /** What becomes of the commit that is carried out now. */
    Fate fateOfCommit();

    /** A call to a port begins: everything else may happen before it is carried out. */
    void step(String what, Object detail);

    /** A commit begins, on either side: where trouble does the most harm, there is more of it. */
    void commitStep(String what, Object detail);

    /** Waits inside of a call; returns whether it has come true, before the time was over or while nobody looked. */
    boolean await(String what, BooleanSupplier condition, Duration atMost);

    /** A line of the trace; a detail that costs something is given as a {@link Supplier}. */
    void note(Object who, String what, Object detail);
}
