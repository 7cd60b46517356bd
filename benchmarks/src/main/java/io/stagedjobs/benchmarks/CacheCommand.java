package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Leaves a cache in daemon/target/staged-jobs with which enqueuers start sooner: nothing is measured. */
@Command(
        name = "cache",
        description = "Lets our enqueuer record a cache of what it loads and compiles while it drains, in"
                + " daemon/target/staged-jobs/cache. Later starts with the same Java use it.",
        mixinStandardHelpOptions = true)
final class CacheCommand implements Callable<Integer> {

    private static final Duration PATIENCE = Duration.ofMinutes(10);

    static final int JOBS = 100_000;

    /** A cache is written while the process ends. */
    private static final Duration END_MAX = Duration.ofMinutes(5);

    @Option(names = "--java", paramLabel = "HOME", description = "the Java that records; default: that of this run")
    private String java = System.getProperty("java.home");

    @Option(names = "--jobs", description = "default: ${DEFAULT-VALUE}")
    private int jobs = JOBS;

    @Override
    public Integer call() throws Exception {
        record(java, jobs);
        return 0;
    }

    /** Drains so many jobs, and leaves the cache of that Java in this tree's distribution. */
    static void record(String java, int jobs) throws Exception {
        Scene scene = new Scene();
        scene.relays = List.of("exactly-once");
        scene.settings.put("CACHE", "record");
        scene.java = java;
        try (Servers servers = new Servers(scene.publishing());
                Stage stage = scene.set(servers, scene.publishing().get(0), Scene.Beside.NOTHING)) {
            stage.stage(1, jobs);
            stage.reader.expect(0, jobs);
            ChildProcess enqueuer = stage.start();
            stage.awaitExpected(PATIENCE);
            enqueuer.terminate();
            if (enqueuer.awaitExit(END_MAX) != 0) {
                throw stage.failure("did not end in order");
            }
        }
    }
}
