package io.stagedjobs.daemon.admin;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.distribution.CountAtBucket;
import io.stagedjobs.daemon.admin.Outbox.Counters;
import io.stagedjobs.enqueuer.BackgroundThreads;
import io.stagedjobs.enqueuer.ExternalFailureException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The last hour, one point every ten seconds, in memory. What waits is what the heartbeat measures anyhow; rates come
 * from the database's counters, by one cheap question a point. Safe for use by many threads.
 */
final class Series implements AutoCloseable {

    static final Duration EVERY = Duration.ofSeconds(10);
    static final int POINTS_MAX = 360;

    private static final Logger log = LoggerFactory.getLogger(Series.class);

    /** Deletions are reported late and in lumps: a rate of one point alone would jump. */
    private static final Duration RATES_OVER = Duration.ofSeconds(30);

    private static final double NANOS = 1e9;

    /** One point; what is null is not known. */
    record Point(
            String at,
            long backlog,
            double oldestAgeSeconds,
            @Nullable Double stagedPerSecond,
            @Nullable Double publishedPerSecond,
            @Nullable Double latencyP50Seconds,
            @Nullable Double latencyP99Seconds) {}

    /** Jobs a second that came and that left, in all lanes together. */
    record Rates(
            @Nullable Double stagedPerSecond,
            @Nullable Double publishedPerSecond,
            @Nullable Double overSeconds) {

        static final Rates UNKNOWN = new Rates(null, null, null);

        /** How long the backlog lasts; null if nobody knows, or if it does not shrink. */
        @Nullable
        Double timeToDrainSeconds(long backlog) {
            if (backlog == 0) {
                return 0.0;
            }
            return stagedPerSecond != null && publishedPerSecond != null && publishedPerSecond > stagedPerSecond
                    ? (Double) (backlog / (publishedPerSecond - stagedPerSecond))
                    : null;
        }
    }

    private record Sample(long nanos, Counters counters, Point point) {}

    private final Outbox outbox;
    private final MeterRegistry registry;
    private final LongSupplier nanos;
    private final Deque<Sample> samples = new ArrayDeque<>();
    private CountAtBucket[] buckets = {};
    private final ScheduledExecutorService clock =
            Executors.newSingleThreadScheduledExecutor(BackgroundThreads.daemons("admin-series"));

    /** @param nanos of a clock that cannot jump */
    Series(Outbox outbox, MeterRegistry registry, LongSupplier nanos) {
        this.outbox = outbox;
        this.registry = registry;
        this.nanos = nanos;
    }

    @SuppressWarnings("FutureReturnValueIgnored") // it ends with the executor
    void start() {
        clock.scheduleAtFixedRate(this::tryToSample, 0, EVERY.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void tryToSample() {
        try {
            sample();
        } catch (ExternalFailureException away) {
            log.debug("no point for this moment", away); // the heartbeat tells what fails
        } catch (RuntimeException e) {
            log.warn("could not take a point of the last hour's series; the next one is tried in {}", EVERY, e);
        }
    }

    void sample() {
        Counters counters = outbox.counters();
        add(counters, nanos.getAsLong());
    }

    private synchronized void add(Counters counters, long now) {
        Sample before = samples.peekLast();
        Rates rates = before == null ? Rates.UNKNOWN : rates(before.nanos, before.counters, now, counters);
        Timer latency = registry.find("staged.jobs.lag").timer();
        CountAtBucket[] newest =
                latency == null ? buckets : latency.takeSnapshot().histogramCounts();
        Point point = new Point(
                counters.at(),
                (long) gauge("staged.jobs.backlog"),
                gauge("staged.jobs.oldest.age"),
                rates.stagedPerSecond,
                rates.publishedPerSecond,
                percentile(0.5, buckets, newest),
                percentile(0.99, buckets, newest));
        buckets = newest;
        samples.addLast(new Sample(now, counters, point));
        if (samples.size() > POINTS_MAX) {
            samples.removeFirst();
        }
    }

    private double gauge(String name) {
        Gauge gauge = registry.find(name).gauge();
        double value = gauge == null ? 0 : gauge.value();
        return Double.isFinite(value) && value > 0 ? value : 0;
    }

    synchronized List<Point> points() {
        return samples.stream().map(Sample::point).toList();
    }

    /** Those of the last half minute; unknown while PostgreSQL has not answered for as long. */
    synchronized Rates rates() {
        Sample last = samples.peekLast();
        if (last == null || nanos.getAsLong() - last.nanos > RATES_OVER.toNanos()) {
            return Rates.UNKNOWN;
        }
        Iterator<Sample> backwards = samples.descendingIterator();
        Sample first = backwards.next();
        while (backwards.hasNext() && last.nanos - first.nanos < RATES_OVER.toNanos()) {
            first = backwards.next();
        }
        return rates(first.nanos, first.counters, last.nanos, last.counters);
    }

    private static Rates rates(long from, Counters before, long to, Counters after) {
        double seconds = (to - from) / NANOS;
        if (seconds <= 0
                || after.deleted() < before.deleted()
                || after.movedAside() < before.movedAside()
                || after.lastId() < before.lastId()) {
            return Rates.UNKNOWN;
        }
        long left = after.deleted() - before.deleted() - (after.movedAside() - before.movedAside());
        return new Rates((after.lastId() - before.lastId()) / seconds, Math.max(0, left) / seconds, seconds);
    }

    /** Of what was counted since; null if that is nothing. Counts are those up to each bucket. */
    static @Nullable Double percentile(double share, CountAtBucket[] before, CountAtBucket[] after) {
        if (after.length == 0) {
            return null;
        }
        double all = since(after.length - 1, before, after);
        if (all <= 0) {
            return null;
        }
        double wanted = share * all;
        double countBelow = 0;
        double bound = 0;
        for (int i = 0; i < after.length; i++) {
            double count = since(i, before, after);
            double upper = after[i].bucket(TimeUnit.SECONDS);
            if (count >= wanted) {
                return Double.isInfinite(upper)
                        ? bound
                        : bound + (upper - bound) * (wanted - countBelow) / Math.max(1, count - countBelow);
            }
            countBelow = count;
            bound = upper;
        }
        return bound;
    }

    private static double since(int bucket, CountAtBucket[] before, CountAtBucket[] after) {
        return after[bucket].count() - (bucket < before.length ? before[bucket].count() : 0);
    }

    @Override
    public void close() {
        clock.shutdownNow();
    }
}
