package io.stagedjobs.enqueuer;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The meters {@code staged.jobs.*}; docs/configuration.md lists them. Label values come from fixed sets only. */
final class Meters implements AutoCloseable {

    /**
     * Recording a timer costs as much as publishing a job, and all jobs of a batch are published at the same moment.
     */
    private static final int LAGS_PER_BATCH_MAX = 100;

    /** Far below the overflow of a timer's sum. */
    private static final Duration LAG_MAX = Duration.ofDays(30);

    private static final String SECONDS = "seconds";
    private static final double NANOS = 1e9;
    private static final double MILLIS = 1e3;
    private static final String ASIDE = "Jobs that were moved aside; an estimate beyond 100 000";

    private final MeterRegistry registry;
    private final AtomicLong publishedHere = new AtomicLong();
    private final Counter published;
    private final Counter unacknowledged;
    private final DistributionSummary batchSize;
    private final Timer lag;
    private final List<Gauge> gauges = new ArrayList<>();
    private final LongSupplier nanoTime;
    private volatile long beatAt;
    private volatile Membership.@Nullable Census census;
    private volatile Membership.Figures figures = Membership.Figures.NONE;

    Meters(MeterRegistry registry, Supplier<Number> lanesOwned, Health health, LongSupplier nanoTime) {
        this.registry = registry;
        this.nanoTime = nanoTime;
        this.beatAt = nanoTime.getAsLong();
        published = Counter.builder("staged.jobs.published")
                .description("Jobs that Kafka acknowledged and that were deleted")
                .register(registry);
        unacknowledged = Counter.builder("staged.jobs.unacknowledged")
                .description("Jobs of batches that Kafka did not acknowledge; the enqueuer retries them")
                .register(registry);
        batchSize = DistributionSummary.builder("staged.jobs.batch.size")
                .description("Jobs in a batch")
                .baseUnit("jobs")
                .register(registry);
        lag = Timer.builder("staged.jobs.lag")
                .description("From staging to the deletion after Kafka's acknowledgement, by the database's clock; for"
                        + " large batches, a hundred evenly chosen jobs")
                .publishPercentileHistogram()
                .minimumExpectedValue(Duration.ofMillis(1))
                .maximumExpectedValue(Duration.ofHours(1))
                .register(registry);
        for (Origin origin : Origin.values()) {
            failures(origin);
        }
        ofThisProcess(lanesOwned, health);
        ofEveryProcess();
        ofTheOutbox();
    }

    private void ofThisProcess(Supplier<Number> lanesOwned, Health health) {
        show(Gauge.builder("staged.jobs.lanes.owned", lanesOwned).description("Lanes that this enqueuer moves"));
        show(Gauge.builder("staged.jobs.lanes.halted", health::lanesHalted)
                .description("Lanes of this enqueuer in which nothing moves before a person has looked"));
        show(Gauge.builder("staged.jobs.heartbeat.age", () -> (nanoTime.getAsLong() - beatAt) / NANOS)
                .description("Time since the last heartbeat of this enqueuer that PostgreSQL took")
                .baseUnit(SECONDS));
        for (Origin origin : Origin.values()) {
            show(Gauge.builder("staged.jobs.problem", () -> health.problems().containsKey(origin.label()) ? 1 : 0)
                    .description("1 while /health/ready names this cause")
                    .tag("cause", origin.label()));
        }
    }

    /** What each heartbeat reads; all enqueuers of a database show the same. */
    private void ofEveryProcess() {
        show(Gauge.builder("staged.jobs.lanes.unowned", this::lanesUnowned)
                .description("Lanes that no living enqueuer owns"));
        show(Gauge.builder("staged.jobs.pauses", () -> everythingPaused() ? 1 : 0)
                .description("Pauses in force")
                .tag("scope", "everything"));
        show(Gauge.builder("staged.jobs.pauses", () -> pauses() - (everythingPaused() ? 1 : 0))
                .description("Pauses in force")
                .tag("scope", "topic"));
    }

    private void ofTheOutbox() {
        show(Gauge.builder("staged.jobs.backlog", () -> figures.backlog())
                .description("Jobs that wait; an estimate beyond 100 000"));
        show(Gauge.builder("staged.jobs.oldest.age", () -> seconds(figures.oldestAge()))
                .description("Age of the oldest job that waits")
                .baseUnit(SECONDS));
        show(Gauge.builder("staged.jobs.aside", () -> figures.held())
                .description(ASIDE)
                .tag("state", "held"));
        show(Gauge.builder("staged.jobs.aside", () -> figures.parked())
                .description(ASIDE)
                .tag("state", "parked"));
        show(Gauge.builder("staged.jobs.dead.rows", () -> figures.deadRows())
                .description("Rows that vacuum has not removed yet, by PostgreSQL's statistics"));
        show(Gauge.builder("staged.jobs.snapshot.age", () -> seconds(figures.snapshotAge()))
                .description("Age of the oldest transaction that may keep vacuum from removing rows, among those that"
                        + " the enqueuer's role may see")
                .baseUnit(SECONDS));
    }

    private void show(Gauge.Builder<?> gauge) {
        gauges.add(gauge.register(registry));
    }

    private static double seconds(Duration duration) {
        return duration.toMillis() / MILLIS;
    }

    private int lanesUnowned() {
        Membership.Census seen = census;
        return seen == null ? 0 : Collections.frequency(seen.owners(), null);
    }

    private boolean everythingPaused() {
        Membership.Census seen = census;
        return seen != null && seen.pauses().contains(Membership.ALL_TOPICS);
    }

    private int pauses() {
        Membership.Census seen = census;
        return seen == null ? 0 : seen.pauses().size();
    }

    void settled(Step.Settled settled) {
        List<Job> jobs = settled.outcome().published();
        if (jobs.isEmpty()) {
            return;
        }
        published.increment(jobs.size());
        publishedHere.addAndGet(jobs.size());
        batchSize.record(jobs.size());
        int every = 1 + (jobs.size() - 1) / LAGS_PER_BATCH_MAX;
        for (int i = 0; i < jobs.size(); i += every) {
            lag.record(bounded(
                    Duration.between(jobs.get(i).stagedAt(), settled.deleted().at())));
        }
    }

    /** An insert may give a job any time, and the database's clock may be set back. */
    private static Duration bounded(Duration since) {
        return since.isNegative() ? Duration.ZERO : since.compareTo(LAG_MAX) > 0 ? LAG_MAX : since;
    }

    long published() {
        return publishedHere.get();
    }

    void failed(Step step) {
        failures(Objects.requireNonNull(step.origin())).increment();
        int acknowledged = step.settled() == null
                ? 0
                : step.settled().outcome().published().size();
        unacknowledged.increment(step.claimed() - (double) acknowledged);
    }

    /** After each heartbeat. */
    void seen(Membership.Census now) {
        beatAt = nanoTime.getAsLong();
        census = now;
    }

    void measured(Membership.Figures now) {
        figures = now;
    }

    /** Otherwise a registry that outlives this enqueuer would keep its last gauges. Counters stay. */
    @Override
    public void close() {
        gauges.forEach(registry::remove);
    }

    private Counter failures(Origin origin) {
        return Counter.builder("staged.jobs.failures")
                .description("Steps that failed and were rolled back")
                .tag("cause", origin.label())
                .register(registry);
    }
}
