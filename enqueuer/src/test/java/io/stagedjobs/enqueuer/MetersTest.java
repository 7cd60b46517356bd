package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MetersTest {

    private static final UUID ME = new UUID(0, 1);

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
    private final Health health = new Health();
    private final AtomicLong nanos = new AtomicLong(-7);
    private final Meters meters = new Meters(registry, () -> 0, health, nanos::get);

    @AfterEach
    void close() {
        meters.close();
    }

    private double gauge(String name, String... tags) {
        return registry.get(name).tags(tags).gauge().value();
    }

    private void seen(Set<String> pauses, UUID... owners) {
        meters.seen(new Membership.Census(ME, Arrays.asList(owners), List.of(ME), pauses));
    }

    @Test
    void a_job_that_was_staged_before_the_databases_clock_was_set_back_counts_as_no_delay() {
        Instant deleted = Instant.parse("2026-01-01T00:00:00Z");
        Job job = new Job(1, UUID.randomUUID(), "topic", null, "name", null, null, deleted.plusSeconds(1));
        meters.settled(new Step.Settled(
                new Batch(1, List.of(job)),
                new Outcome(List.of(job), Map.of(), Map.of(), null),
                List.of(),
                new LaneTransaction.Deleted(1, deleted),
                false));
        Timer lag = registry.get("staged.jobs.lag").timer();
        assertThat(lag.count()).isEqualTo(1);
        assertThat(lag.totalTime(TimeUnit.NANOSECONDS)).isZero();
    }

    @Test
    void the_age_of_the_heartbeat_grows_until_the_next_one() {
        nanos.addAndGet(Duration.ofSeconds(40).toNanos());
        assertThat(gauge("staged.jobs.heartbeat.age")).isEqualTo(40);
        seen(Set.of(), ME);
        assertThat(gauge("staged.jobs.heartbeat.age")).isZero();
        nanos.addAndGet(Duration.ofMillis(1_500).toNanos());
        assertThat(gauge("staged.jobs.heartbeat.age")).isEqualTo(1.5);
    }

    @Test
    void lanes_without_an_owner_and_pauses_are_those_of_the_last_heartbeat() {
        assertThat(gauge("staged.jobs.lanes.unowned")).isZero();
        seen(Set.of(Membership.ALL_TOPICS, "orders", "users"), ME, null, null);
        assertThat(gauge("staged.jobs.lanes.unowned")).isEqualTo(2);
        assertThat(gauge("staged.jobs.pauses", "scope", "everything")).isEqualTo(1);
        assertThat(gauge("staged.jobs.pauses", "scope", "topic")).isEqualTo(2);
        seen(Set.of("orders"), ME, ME, ME);
        assertThat(gauge("staged.jobs.lanes.unowned")).isZero();
        assertThat(gauge("staged.jobs.pauses", "scope", "everything")).isZero();
        assertThat(gauge("staged.jobs.pauses", "scope", "topic")).isEqualTo(1);
    }

    @Test
    void a_cause_that_health_names_is_a_problem_until_it_is_over() {
        health.reached(Origin.POSTGRESQL);
        health.reached(Origin.KAFKA);
        assertThat(gauge("staged.jobs.problem", "cause", "kafka")).isZero();
        health.laneFailed(3, Origin.KAFKA, "no answer");
        assertThat(gauge("staged.jobs.problem", "cause", "kafka")).isEqualTo(1);
        assertThat(gauge("staged.jobs.problem", "cause", "postgresql")).isZero();
        assertThat(gauge("staged.jobs.problem", "cause", "enqueuer")).isZero();
        health.laneWorks(3);
        assertThat(gauge("staged.jobs.problem", "cause", "kafka")).isZero();
        health.laneHalted(3, "contradiction");
        assertThat(gauge("staged.jobs.lanes.halted")).isEqualTo(1);
        assertThat(gauge("staged.jobs.problem", "cause", "enqueuer")).isZero();
    }

    @Test
    void the_figures_of_the_outbox_are_those_that_were_measured_last() {
        meters.measured(new Membership.Figures(5, Duration.ofMillis(1_500), 3, 2, 7, Duration.ofMinutes(10)));
        assertThat(gauge("staged.jobs.backlog")).isEqualTo(5);
        assertThat(gauge("staged.jobs.oldest.age")).isEqualTo(1.5);
        assertThat(gauge("staged.jobs.aside", "state", "held")).isEqualTo(3);
        assertThat(gauge("staged.jobs.aside", "state", "parked")).isEqualTo(2);
        assertThat(gauge("staged.jobs.dead.rows")).isEqualTo(7);
        assertThat(gauge("staged.jobs.snapshot.age")).isEqualTo(600);
    }

    @Test
    void an_enqueuer_that_ends_takes_its_gauges_along() {
        meters.close();
        assertThat(registry.find("staged.jobs.heartbeat.age").gauge()).isNull();
        assertThat(registry.find("staged.jobs.aside").gauges()).isEmpty();
        assertThat(registry.find("staged.jobs.published").counter()).isNotNull();
    }
}
