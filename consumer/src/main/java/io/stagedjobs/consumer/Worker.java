package io.stagedjobs.consumer;

import io.stagedjobs.UnitOfWork;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes jobs from the window and handles them: one unit of work claims them in the inbox and runs their handlers. If a
 * unit of several jobs fails, each is tried alone. A job that fails waits, and so do later ones of its key.
 */
final class Worker implements Runnable {

    private static final Logger LOG = LoggerFactory.getLogger(JobConsumer.class);
    private static final Duration TAKE_MAX = Duration.ofSeconds(1);

    private final Inbox inbox;
    private final UnitOfWork unit;
    private final Handlers handlers;
    private final Retry retry;
    private final int jobsPerUnit;
    private final Window<Received> window;

    private volatile boolean stopping;

    Worker(Inbox inbox, UnitOfWork unit, Handlers handlers, Retry retry, int jobsPerUnit, Window<Received> window) {
        this.inbox = inbox;
        this.unit = unit;
        this.handlers = handlers;
        this.retry = retry;
        this.jobsPerUnit = jobsPerUnit;
        this.window = window;
    }

    /** Ends after the unit under way. */
    void stop() {
        stopping = true;
    }

    @Override
    public void run() {
        try {
            while (!stopping) {
                handle(window.take(jobsPerUnit, TAKE_MAX));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void handle(List<Window<Received>.Entry> taken) {
        List<Window<Received>.Entry> jobs = new ArrayList<>(taken.size());
        for (Window<Received>.Entry entry : taken) {
            if (handlers.ignores(entry.record)) {
                window.finished(entry);
            } else {
                jobs.add(entry);
            }
        }
        if (jobs.size() > 1 && inOneUnit(jobs) == null) {
            jobs.forEach(window::finished);
        } else {
            alone(jobs);
        }
    }

    private void alone(List<Window<Received>.Entry> jobs) {
        Set<Object> waiting = new HashSet<>();
        for (Window<Received>.Entry entry : jobs) {
            if (waiting.contains(entry.key())) {
                window.again(entry, System.nanoTime()); // behind the one of its key that waits
                continue;
            }
            Throwable failure = stopping ? new InterruptedException("the consumer stops") : inOneUnit(List.of(entry));
            if (failure == null) {
                window.finished(entry);
            } else {
                waiting.add(entry.key());
                window.again(
                        entry, System.nanoTime() + rest(entry.record, failure).toNanos());
            }
        }
    }

    private Duration rest(Received received, Throwable failure) {
        if (stopping) {
            return Duration.ZERO;
        }
        received.attempts++;
        Duration rest = retry.after(received.attempts);
        LOG.warn(
                "consumer {} could not handle the job at {} in attempt {}. Nothing of it was kept; later jobs of its"
                        + " key wait. Next attempt in {} ms.",
                inbox.consumer(),
                received,
                received.attempts,
                rest.toMillis(),
                failure);
        return rest;
    }

    /** @return why it failed and was rolled back; null if all of them are done */
    private @Nullable Throwable inOneUnit(List<Window<Received>.Entry> entries) {
        try {
            List<Job<byte @Nullable []>> jobs = new ArrayList<>(entries.size());
            entries.forEach(entry -> jobs.add(Job.from(entry.record.record)));
            List<UUID> ids = jobs.stream().map(Job::id).collect(Collectors.toList());
            unit.run(work -> {
                Set<UUID> first = inbox.claim(work.connection(), ids);
                for (Job<byte @Nullable []> job : jobs) {
                    // A batch that at-least-once published twice may have a job twice.
                    if (first.remove(job.id())) {
                        handlers.handle(work, job);
                    }
                }
            });
            return null;
        } catch (Throwable e) { // an error of a handler must not end the worker with its keys taken
            return e;
        }
    }
}
