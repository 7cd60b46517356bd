package io.stagedjobs.enqueuer.diagnosis;

import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Callable;

/**
 * How far another clock is ahead of this machine's.
 *
 * @param ahead negative if it is behind
 * @param uncertainty half of the time that the question took
 */
public record ClockOffset(Duration ahead, Duration uncertainty) {

    /** Asks another clock for its milliseconds since 1970. */
    public static ClockOffset measure(Callable<Long> otherMillis) throws Exception {
        long before = MachineClock.millis();
        long other = otherMillis.call();
        long after = MachineClock.millis();
        return new ClockOffset(
                Duration.ofMillis(other - (before + after) / 2), Duration.ofMillis((after - before + 1) / 2));
    }

    ClockOffset minus(ClockOffset other) {
        return new ClockOffset(ahead.minus(other.ahead), uncertainty.plus(other.uncertainty));
    }

    /** Whether the clocks are certainly further apart. */
    boolean exceeds(Duration skew) {
        return ahead.abs().minus(uncertainty).compareTo(skew) > 0;
    }

    String words() {
        return String.format(
                Locale.ROOT,
                "%.3f s %s (± %.3f s)",
                ahead.abs().toMillis() / 1000.0,
                ahead.isNegative() ? "behind" : "ahead",
                uncertainty.toMillis() / 1000.0);
    }
}
