package io.stagedjobs;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.Locale;

/**
 * Keeps the meters {@code staged.jobs.unit.attempts} and {@code staged.jobs.unit.jobs}, which docs/configuration.md
 * describes, with Micrometer, an optional dependency of this library.
 */
public final class MicrometerUnitListener implements UnitListener {

    private final MeterRegistry registry;

    public MicrometerUnitListener(MeterRegistry registry) {
        this.registry = registry;
    }

    @Override
    public void attempted(Attempt attempt) {
        Timer.builder("staged.jobs.unit.attempts")
                .description("Attempts of units of work, by outcome")
                .tag("unit", attempt.unit())
                .tag("outcome", attempt.outcome().name().toLowerCase(Locale.ROOT))
                .register(registry)
                .record(attempt.duration());
        if (attempt.outcome() == Outcome.COMMITTED) {
            Counter.builder("staged.jobs.unit.jobs")
                    .description("Jobs that units of work staged and committed")
                    .tag("unit", attempt.unit())
                    .register(registry)
                    .increment(attempt.jobs());
        }
    }
}
