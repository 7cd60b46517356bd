package io.stagedjobs.spring;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;

/** The meter {@value #NAME}. */
final class CommittedJobsMeter implements CommitListener {

    static final String NAME = "staged.jobs.committed";

    private final Counter committed;

    CommittedJobsMeter(MeterRegistry registry) {
        committed = Counter.builder(NAME)
                .description("Jobs that Spring transactions of this application staged and committed")
                .register(registry);
    }

    @Override
    public void committed(int jobs) {
        committed.increment(jobs);
    }
}
