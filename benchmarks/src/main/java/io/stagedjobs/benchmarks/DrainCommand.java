package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How fast a backlog drains: jobs wait before the relay starts; from the first record read to the last. */
@Command(
        name = "drain",
        description = "Drains a backlog with each relay in turn, again and again.",
        mixinStandardHelpOptions = true)
final class DrainCommand implements Callable<Integer> {

    private static final Duration PATIENCE = Duration.ofMinutes(30);

    /** Of a long drain, its first so many jobs and its last ones are told too. */
    private static final int PART = 1_000_000;

    @Mixin
    private Scene scene = new Scene();

    @Option(names = "--jobs", description = "default: ${DEFAULT-VALUE}")
    private int jobs = 1_000_000;

    @Option(names = "--limits", description = "also what PostgreSQL alone and the producer alone could do")
    private boolean limits;

    private final Figures figures = new Figures("relay");

    @Override
    public Integer call() throws Exception {
        try (Servers servers = new Servers(scene.publishing())) {
            for (int i = 0; i < (limits ? scene.repetitions : 0); i++) {
                new Limits(servers, scene, jobs).measure(figures);
            }
            scene.inTurn((relay, beside) -> drain(servers, relay, beside));
        }
        figures.print(
                String.format("drain of %,d jobs of %s", jobs, scene.words()),
                scene.label(scene.relays().get(0).label(), scene.besides.get(0)));
        return 0;
    }

    private void drain(Servers servers, Relay relay, Scene.Beside beside) throws Exception {
        String label = scene.label(relay.label(), beside);
        try (Stage stage = scene.set(servers, relay, beside)) {
            boolean running = scene.before > 0;
            if (running) {
                stage.start().suspend(); // warm and connected, and not one job ahead
            }
            stage.stage(scene.before + 1L, (long) scene.before + jobs);
            Reader reader = stage.reader;
            reader.expect(scene.before, (long) scene.before + jobs);
            double postgres = CpuTime.seconds(servers.postgresPid());
            double kafka = CpuTime.seconds(servers.kafkaPid());
            double own = running ? CpuTime.seconds(stage.start().pid()) : 0;
            ChildProcess process = stage.start();
            if (running) {
                process.resume();
            }
            stage.awaitExpected(PATIENCE);
            double scale = 1e6 / jobs;
            figures.add(label, "jobs/s", reader.speed());
            if (jobs >= 2 * PART) {
                figures.add(label, "its first million", reader.speed(scene.before, scene.before + PART));
                figures.add(
                        label, "its last", reader.speed((long) scene.before + jobs - PART, (long) scene.before + jobs));
            }
            figures.add(label, "CPU of relay, µs a job", scale * (CpuTime.seconds(process.pid()) - own));
            figures.add(label, "of PostgreSQL", scale * (CpuTime.seconds(servers.postgresPid()) - postgres));
            figures.add(label, "of the broker", scale * (CpuTime.seconds(servers.kafkaPid()) - kafka));
            figures.found(label, reader.faults().isEmpty() ? "exact, in order" : reader.faults());
            System.err.printf("%s: %,.0f jobs/s %s%n", label, reader.speed(), reader.faults());
        }
    }
}
