package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class MetersTest {

    @Test
    void a_job_that_was_staged_before_the_databases_clock_was_set_back_counts_as_no_delay() {
        SimpleMeterRegistry registry = new SimpleMeterRegistry();
        Instant deleted = Instant.parse("2026-01-01T00:00:00Z");
        Job job = new Job(1, UUID.randomUUID(), "topic", null, "name", null, null, deleted.plusSeconds(1));
        try (Meters meters = new Meters(registry, () -> 0, () -> 0)) {
            meters.settled(new Step.Settled(
                    new Batch(1, List.of(job)),
                    new Outcome(List.of(job), Map.of(), Map.of(), null),
                    List.of(),
                    new LaneTransaction.Deleted(1, deleted),
                    false));
        }
        Timer lag = registry.get("staged.jobs.lag").timer();
        assertThat(lag.count()).isEqualTo(1);
        assertThat(lag.totalTime(TimeUnit.NANOSECONDS)).isZero();
    }
}
