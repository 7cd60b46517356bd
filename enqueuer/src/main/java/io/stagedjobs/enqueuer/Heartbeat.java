package io.stagedjobs.enqueuer;

import io.stagedjobs.internal.Backoff;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Renews this enqueuer's row, so that the others know it is alive, and passes on the census. Its thread does nothing
 * else: a long wait would let the row grow old, and others would take our lanes.
 */
final class Heartbeat implements Runnable {

    private static final Logger log = LoggerFactory.getLogger(Heartbeat.class);
    private static final Backoff FAILURES = new Backoff(Duration.ofMillis(200), Duration.ofSeconds(5));

    private static final int WARN_EVERY = 20;

    private final Membership membership;
    private final Supplier<Duration> interval;
    private final Consumer<Membership.Census> seen;
    private final Health health;
    private final WakeableSleep rest = new WakeableSleep();
    private int failures;
    private boolean problemsWritten;

    /**
     * @param interval the time to the next beat, read after each beat
     * @param seen receives each census; it must not wait
     */
    Heartbeat(Membership membership, Supplier<Duration> interval, Consumer<Membership.Census> seen, Health health) {
        this.membership = membership;
        this.interval = interval;
        this.seen = seen;
        this.health = health;
    }

    /** Beats until {@link #end}. If an error of the virtual machine ends it, health reports that from then on. */
    @Override
    public void run() {
        try {
            Duration pause = Duration.ZERO;
            while (rest.take(pause)) {
                pause = beatOnce();
            }
        } catch (Error e) {
            health.failed(Origin.ENQUEUER, "the heartbeat has ended (" + e + "); restart this process");
            throw e;
        }
    }

    void end() {
        rest.end();
    }

    /** With each beat while there are problems, since the row may be a new one; and once when they are over. */
    private void report() {
        List<Membership.Problem> problems = health.lasting();
        if (problemsWritten || !problems.isEmpty()) {
            membership.report(problems);
            problemsWritten = !problems.isEmpty();
        }
    }

    private Duration beatOnce() {
        try {
            seen.accept(membership.beat());
            health.reached(Origin.POSTGRESQL);
            report();
            failures = 0;
            return interval.get();
        } catch (RuntimeException e) {
            health.failed(Origin.POSTGRESQL, String.valueOf(e.getMessage()));
            Duration pause = FAILURES.after(++failures, ThreadLocalRandom.current());
            if (failures == 1 || failures % WARN_EVERY == 0) {
                log.warn(
                        "the heartbeat failed ({} time(s) in a row): {}. If that lasts, other enqueuers take this one's"
                                + " lanes; no job is lost. Next try in {} ms.",
                        failures,
                        e.getMessage(),
                        pause.toMillis());
            }
            return pause;
        }
    }
}
