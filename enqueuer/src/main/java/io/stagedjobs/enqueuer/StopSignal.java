package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A request to end that a resting thread notices at once. An interrupt counts as one. */
final class StopSignal {

    private final CountDownLatch latch = new CountDownLatch(1);

    void set() {
        latch.countDown();
    }

    /** Rests for that long; returns true, at once, if the thread is to end. */
    boolean await(Duration rest) {
        try {
            return latch.await(rest.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return true;
        }
    }
}
