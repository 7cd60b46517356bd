package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs once which topics take no jobs, however many lanes notice it, and once that they take jobs again. For thousands
 * of topics it logs a few lines a minute and a count. The lanes of a process share it; thread-safe.
 */
final class HeldTopics {

    private static final Logger log = LoggerFactory.getLogger(HeldTopics.class);

    private static final int LINES_PER_MINUTE = 20;

    private static final Duration MINUTE = Duration.ofMinutes(1);

    private final LongSupplier nanoTime;
    private final Map<String, Refusal> held = new HashMap<>();
    private long minuteEnds;
    private int lines;

    HeldTopics(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
        this.minuteEnds = nanoTime.getAsLong();
    }

    /** A lane now holds the jobs of this topic. */
    synchronized void held(String topic, Refusal refusal) {
        if (held.put(topic, refusal) == null && mayLog()) {
            log.warn(
                    "topic {} takes no jobs: {}. They are held and return by themselves, none is lost; other topics"
                            + " flow. Next look in {} s.{}",
                    topic,
                    refusal.detail(),
                    MovedAside.LOOK_EVERY.toSeconds(),
                    more());
        }
    }

    /** A lane has noticed that the topic takes jobs again. */
    synchronized void takesJobs(String topic) {
        if (held.remove(topic) != null && mayLog()) {
            log.info("topic {} takes jobs again{}", topic, more());
        }
    }

    private boolean mayLog() {
        if (nanoTime.getAsLong() - minuteEnds >= 0) {
            minuteEnds = nanoTime.getAsLong() + MINUTE.toNanos();
            lines = 0;
        }
        return ++lines <= LINES_PER_MINUTE;
    }

    private String more() {
        return lines < LINES_PER_MINUTE
                ? ""
                : " More topics change; for a minute they are not logged. `staged-jobs status` has them: " + held.size()
                        + " hold jobs now.";
    }
}
