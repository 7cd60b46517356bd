package io.stagedjobs.sample;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/** Waits for what another thread or process does. */
final class Eventually {

    private static final Duration SOON = Duration.ofSeconds(60);

    private Eventually() {}

    /** Returns as soon as the condition holds; fails if it does not within a minute. */
    static void holds(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + SOON.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("still not after " + SOON.toSeconds() + " s: " + what);
            }
            Thread.onSpinWait();
        }
    }
}
