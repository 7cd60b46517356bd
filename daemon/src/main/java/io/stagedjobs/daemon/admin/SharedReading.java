package io.stagedjobs.daemon.admin;

import io.stagedjobs.enqueuer.BackgroundThreads;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Reads something that is dear, once for all who ask while the reading is under way or not long after its end. However
 * many ask, one thread and one connection are busy. Safe for use by many threads; asking does not wait.
 */
final class SharedReading<T> implements AutoCloseable {

    private final Supplier<T> reading;
    private final Duration ageMax;
    private final LongSupplier nanos;
    private final ExecutorService thread;
    private @Nullable CompletableFuture<T> newest;
    private volatile long endedAt;

    /**
     * @param ageMax how long after its end a reading still is an answer, failures included
     * @param nanos of a clock that cannot jump
     */
    SharedReading(String name, Duration ageMax, LongSupplier nanos, Supplier<T> reading) {
        this.ageMax = ageMax;
        this.nanos = nanos;
        this.reading = reading;
        this.thread = BackgroundThreads.pool(name, 1, Integer.MAX_VALUE);
    }

    synchronized CompletableFuture<T> ask() {
        if (newest == null || (newest.isDone() && nanos.getAsLong() - endedAt > ageMax.toNanos())) {
            newest = CompletableFuture.supplyAsync(this::read, thread);
        }
        return newest;
    }

    /** What was read so far is old: who asks from now on gets a reading that begins now. */
    synchronized void outdated() {
        newest = null;
    }

    private T read() {
        try {
            return reading.get();
        } finally {
            endedAt = nanos.getAsLong();
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
