package io.stagedjobs.enqueuer;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/** The meters {@code staged.jobs.*}; docs/configuration.md lists them. Label values come from fixed sets only. */
final class Meters implements AutoCloseable {

    /**
     * Recording a timer costs as much as publishing a job, and all jobs of a batch are published at the same moment.
     */
    private static final int LAGS_PER_BATCH_MAX = 100;

    /** Far below the overflow of a timer's sum. */
    private static final Duration LAG_MAX = Duration.ofDays(30);

    private final MeterRegistry registry;
    private final AtomicLong publishedHere = new AtomicLong();
    private final Counter published;
    private final Counter unacknowledged;
    private final DistributionSummary batchSize;
    private final Timer lag;
    private final List<Gauge> gauges;
    private volatile Membership.Backlog backlog = new Membership.Backlog(0, Duration.ZERO, 0);

    Meters(MeterRegistry registry, Supplier<Number> lanesOwned, Supplier<Number> lanesHalted) {
        this.registry = registry;
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
        gauges = List.of(
                Gauge.builder("staged.jobs.backlog", () -> backlog.jobs())
                        .description("Jobs that wait; an estimate beyond 100 000")
                        .register(registry),
                Gauge.builder(
                                "staged.jobs.oldest.age",
                                () -> backlog.oldestAge().toMillis() / 1000.0)
                        .description("Age of the oldest job that waits")
                        .baseUnit("seconds")
                        .register(registry),
                Gauge.builder("staged.jobs.lanes.owned", lanesOwned)
                        .description("Lanes that this enqueuer moves")
                        .register(registry),
                Gauge.builder("staged.jobs.lanes.halted", lanesHalted)
                        .description("Lanes of this enqueuer in which nothing moves before a person has looked")
                        .register(registry),
                Gauge.builder("staged.jobs.aside", () -> backlog.aside())
                        .description("Jobs that were moved aside, held or parked; an estimate beyond 100 000")
                        .register(registry));
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

    void backlog(Membership.Backlog measured) {
        backlog = measured;
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
