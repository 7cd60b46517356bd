package io.stagedjobs.enqueuer;

import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadFactory;
import java.util.function.Supplier;

/** Threads that start on demand and end after a minute without work. */
public final class BackgroundThreads implements LaneReader.Background {

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
