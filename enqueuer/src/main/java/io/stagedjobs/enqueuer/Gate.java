package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Lets only a few small batches of this process go on at once. A batch costs PostgreSQL and Kafka nearly the same whatever its
 * size, and an open Kafka transaction hides what follows it in its partitions: many small ones at once make each other late.
 * It is a courtesy, so nobody waits long, and a batch that hangs holds up nobody. Any thread.
 */
final class Gate {

    private final Semaphore free;
    private final Duration waitMax;

    /**
     * A gate that nobody is in.
     *
     * @param atOnce so many are let in
     * @param waitMax whoever has waited for so long goes in all the same
     */
    Gate(int atOnce, Duration waitMax) {
        this.free = new Semaphore(atOnce, true);
        this.waitMax = waitMax;
    }

    /** Runs {@code batch} when its turn has come. */
    <T> T inTurn(Supplier<T> batch) {
        boolean mine = await();
        try {
            return batch.get();
        } finally {
            if (mine) {
                free.release();
            }
        }
    }

    private boolean await() {
        try {
            return free.tryAcquire(waitMax.toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the rest after this batch ends the thread
            return false;
        }
    }
}
