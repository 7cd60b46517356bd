package io.stagedjobs.enqueuer;

import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Threads that start on demand and end after a minute without work. */
public final class BackgroundThreads implements LaneReader.Background {

    private static final long IDLE_IN_POOL_SECONDS = 10;

    private final ExecutorService threads;

    /** @param name the name of each thread */
    public BackgroundThreads(String name) {
        this.threads = Executors.newCachedThreadPool(daemons(name));
    }

    /** Makes threads of that name that keep no process alive. */
    public static ThreadFactory daemons(String name) {
        return task -> {
            Thread thread = new Thread(task, name);
            thread.setDaemon(true);
            return thread;
        };
    }

    /**
     * A pool of such threads, which end after ten seconds without work.
     *
     * @param threads the most at a time
     * @param waitingMax the most tasks that may wait for one; more are rejected
     */
    public static ExecutorService pool(String name, int threads, int waitingMax) {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                threads,
                threads,
                IDLE_IN_POOL_SECONDS,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(waitingMax),
                daemons(name));
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }

    @Override
    public <T> Supplier<T> start(Supplier<T> task) {
        Future<T> future = threads.submit(task::get);
        return () -> answer(future);
    }

    private static <T> T answer(Future<T> future) {
        try {
            return future.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException failure) {
                throw failure;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CancellationException("interrupted");
        }
    }
}
