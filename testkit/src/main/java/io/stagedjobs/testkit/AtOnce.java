package io.stagedjobs.testkit;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Threads that do something at the same time. */
public final class AtOnce {

    private AtOnce() {}

    /** The work of one thread; threads are numbered from 0. */
    public interface Task {
        void run(int i) throws Exception;
    }

    /** As {@link Task}, with a result. */
    public interface Question<T> {
        T ask(int i) throws Exception;
    }

    /** Starts this many threads together, waits for all, and rethrows the exception of one of them. */
    public static void run(int threads, Task task) throws Exception {
        call(threads, i -> {
            task.run(i);
            return i;
        });
    }

    /** As {@link #run}; returns their results, in the order of their numbers. */
    public static <T> List<T> call(int threads, Question<T> question) throws Exception {
        ExecutorService executor = Executors.newFixedThreadPool(threads);
        try {
            CyclicBarrier all = new CyclicBarrier(threads);
            List<Future<T>> running = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int number = i;
                running.add(executor.submit(() -> {
                    all.await();
                    return question.ask(number);
                }));
            }
            List<T> answers = new ArrayList<>();
            for (Future<T> each : running) {
                answers.add(each.get());
            }
            return answers;
        } finally {
            executor.shutdownNow();
        }
    }
}
