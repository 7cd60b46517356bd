package io.stagedjobs.internal;

import java.time.Duration;
import java.util.random.RandomGenerator;

/**
 * Jittered exponential back-off: the pause after the n-th failure in a row is drawn evenly from the upper half of
 * {@code first * 2^(n-1)}, capped at {@code max}, so that competitors do not retry together.
 */
public record Backoff(Duration first, Duration max) {

    /** @param failures the number of failures in a row, at least 1 */
    public Duration after(int failures, RandomGenerator random) {
        long ceiling = first.toNanos();
        for (int i = 1; i < failures && ceiling < max.toNanos(); i++) {
            ceiling *= 2;
        }
        ceiling = Math.min(ceiling, max.toNanos());
        return Duration.ofNanos(ceiling / 2 + random.nextLong(ceiling / 2 + 1));
    }
}
