package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.OutsideException.Side;
import java.util.Map;
import java.util.TreeMap;

/** What does not work now: PostgreSQL, Kafka, a lane that is halted. Safe for use by many threads. */
public final class Health {

    private static final String NOT_YET = "not reached yet";

    private final Map<String, String> problems = new TreeMap<>();

    public Health() {
        problems.put(Side.POSTGRESQL.label(), NOT_YET);
        problems.put(Side.KAFKA.label(), NOT_YET);
    }

    /** It works now. */
    public synchronized void reached(Side side) {
        problems.remove(side.label());
    }

    synchronized void failed(Side side, String reason) {
        problems.put(side.label(), reason);
    }

    /** @return whether that is news */
    synchronized boolean halted(int lane, String reason) {
        return !reason.equals(problems.put(name(lane), reason));
    }

    synchronized void resumed(int lane) {
        problems.remove(name(lane));
    }

    /** Reasons by what does not work ({@code postgresql}, {@code kafka}, {@code lane 3}); empty if everything does. */
    public synchronized Map<String, String> problems() {
        return new TreeMap<>(problems);
    }

    private static String name(int lane) {
        return "lane " + lane;
    }
}
