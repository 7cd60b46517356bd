package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.OutsideException.Side;
import java.util.EnumMap;
import java.util.Map;

/** What the last attempts to reach PostgreSQL and Kafka said. Safe for use by many threads. */
public final class Health {

    private static final String NOT_YET = "not reached yet";

    private final Map<Side, String> problems = new EnumMap<>(Side.class);

    public Health() {
        problems.put(Side.POSTGRESQL, NOT_YET);
        problems.put(Side.KAFKA, NOT_YET);
    }

    /** It works now. */
    public synchronized void reached(Side side) {
        problems.remove(side);
    }

    synchronized void failed(Side side, String reason) {
        problems.put(side, reason);
    }

    /** What does not work now, one line each; empty if everything does. */
    public synchronized Map<Side, String> problems() {
        return Map.copyOf(problems);
    }
}
