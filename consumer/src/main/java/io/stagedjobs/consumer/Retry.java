package io.stagedjobs.consumer;

import java.time.Duration;
import java.util.Objects;

/**
 * How long a job waits after a failed attempt: each time twice as long, up to a limit. Jobs of other keys go on
 * meanwhile.
 *
 * @param first the wait after the first failure
 * @param longest the longest wait
 */
public record Retry(Duration first, Duration longest) {

    /** From 200 milliseconds up to a minute. */
    public static final Retry DEFAULT = from(Duration.ofMillis(200)).upTo(Duration.ofMinutes(1));

    private static final int DOUBLINGS_MAX = 30;

    /** @throws IllegalArgumentException if a wait is not positive, or the longest is shorter than the first */
    public Retry {
        Objects.requireNonNull(first, "first");
        if (first.isNegative() || first.isZero() || longest.compareTo(first) < 0) {
            throw new IllegalArgumentException(
                    "a retry waits for a positive time, at first no longer than at last, not " + first + " up to "
                            + longest);
        }
    }

    /** Waits that long after the first failure, and no longer later. */
    public static Retry from(Duration first) {
        return new Retry(first, first);
    }

    /** Doubles the wait with each failure up to this limit. */
    public Retry upTo(Duration longest) {
        return new Retry(first, longest);
    }

    /** @param attempts failed ones, at least 1 */
    Duration after(int attempts) {
        Duration wait = first.multipliedBy(1L << Math.min(attempts - 1, DOUBLINGS_MAX));
        return wait.compareTo(longest) < 0 ? wait : longest;
    }
}
