package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.postgres.StatusReader.Counters;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Rates from successive readings. PostgreSQL reports deletions late and in lumps, so that a rate between two readings
 * would jump: these rates are those of the last half minute. Used by one thread.
 */
final class Trend {

    private static final double OVER_SECONDS = 30;

    /**
     * Jobs per second in all lanes together.
     *
     * @param stagedPerSecond null if it is not known
     * @param publishedPerSecond null if it is not known
     * @param overSeconds how long they were observed, null if they are not known
     */
    record Rates(
            @Nullable Double stagedPerSecond,
            @Nullable Double publishedPerSecond,
            @Nullable Double overSeconds) {

        static final Rates UNKNOWN = new Rates(null, null, null);
    }

    /** The oldest one is at the beginning of the half minute. */
    private final List<Reading> readings = new ArrayList<>();

    void add(Reading reading) {
        readings.add(reading);
        while (readings.size() > 2 && reading.secondsSince(readings.get(1)) >= OVER_SECONDS) {
            readings.remove(0);
        }
    }

    private Reading last() {
        return readings.get(readings.size() - 1);
    }

    /** Unknown until the second reading, and after a crash of PostgreSQL, which loses its counts. */
    Rates rates() {
        Counters before = readings.get(0).counters();
        Counters now = last().counters();
        double seconds = last().secondsSince(readings.get(0));
        if (seconds <= 0
                || before == null
                || now == null
                || now.lastId() < before.lastId()
                || now.deleted() < before.deleted()
                || now.movedAside() < before.movedAside()) {
            return Rates.UNKNOWN;
        }
        long published = now.deleted() - before.deleted() - (now.movedAside() - before.movedAside());
        return new Rates((now.lastId() - before.lastId()) / seconds, Math.max(0, published) / seconds, seconds);
    }

    /**
     * How the backlog changes: negative if it shrinks, null if that is not known. Estimates of a large backlog differ
     * by chance, so that the rates tell more about it.
     */
    @Nullable
    Double backlogPerSecond() {
        Reading first = readings.get(0);
        double seconds = last().secondsSince(first);
        if (seconds <= 0) {
            return null;
        }
        if (first.status().exact() && last().status().exact()) {
            return (last().status().backlog() - first.status().backlog()) / seconds;
        }
        Rates rates = rates();
        return rates.stagedPerSecond == null || rates.publishedPerSecond == null
                ? null
                : (Double) (rates.stagedPerSecond - rates.publishedPerSecond);
    }

    /** How long the backlog lasts at this trend; null if that is not known, or if it does not shrink. */
    @Nullable
    Double timeToDrainSeconds() {
        long backlog = last().status().backlog();
        Double change = backlogPerSecond();
        if (backlog == 0) {
            return 0.0;
        }
        return change == null || change >= 0 ? null : (Double) (backlog / -change);
    }
}
