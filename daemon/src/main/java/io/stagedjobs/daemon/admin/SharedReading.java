package io.stagedjobs.daemon.admin;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Reads something that is dear, once at a time: whoever asks while a reading is under way gets what it finds. So the
 * answer may be as old as one reading takes, and however many ask, one thread and one connection are busy. Safe for use
 * by many threads; asking does not wait.
 */
final class SharedReading<T> implements AutoCloseable {

    private static final long IDLE_THREAD_MAX_SECONDS = 10;

    private final Supplier<T> reading;
    private final ExecutorService thread;
    private @Nullable CompletableFuture<T> underWay;

    SharedReading(String name, Supplier<T> reading) {
        this.reading = reading;
        ThreadPoolExecutor one = new ThreadPoolExecutor(
                1, 1, IDLE_THREAD_MAX_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                    Thread thread = new Thread(task, name);
                    thread.setDaemon(true);
                    return thread;
                });
        one.allowCoreThreadTimeOut(true);
        this.thread = one;
    }

    synchronized CompletableFuture<T> ask() {
        if (underWay == null || underWay.isDone()) {
            underWay = CompletableFuture.supplyAsync(reading, thread);
        }
        return underWay;
    }

    @Override
    public void close() {
        thread.shutdownNow();
    }
}
