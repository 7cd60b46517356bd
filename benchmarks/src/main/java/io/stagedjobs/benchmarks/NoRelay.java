package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.util.List;
import java.util.Map;

/**
 * The control: the tables of a tree's enqueuer, in which the jobs stay. A process that only sleeps takes the relay's
 * place, so that all is measured the same way.
 */
record NoRelay(Build build) implements Relay {

    static final String LABEL = "none";

    @Override
    public String label() {
        return LABEL + build.suffix();
    }

    @Override
    public String control() {
        return label();
    }

    @Override
    public boolean publishes() {
        return false;
    }

    @Override
    public void install(TestDatabase database) {
        tables().install(database);
    }

    @Override
    public String insert() {
        return tables().insert();
    }

    @Override
    public ChildProcess start(Launch launch) {
        return ChildProcess.start(LABEL, List.of("sleep", "infinity"), Map.of());
    }

    private EnqueuerRelay tables() {
        return new EnqueuerRelay("at-least-once", build);
    }
}
