package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The folder of a relay that others have made, {@code benchmarks/peers/<name>}: a build of its own, whose libraries
 * meet neither ours nor those of another peer.
 */
record Peer(String name) {

    private static final Duration INSTALL_MAX = Duration.ofMinutes(1);

    Path folder() {
        Path folder = Path.of("benchmarks", "peers", name);
        if (!Files.isDirectory(folder.resolve("target/lib"))) {
            throw new IllegalStateException(folder + " is not built, or this was not started by benchmarks/run");
        }
        return folder;
    }

    /** Starts one of its main classes. */
    ChildProcess start(String mainClass, List<String> jvm, List<String> args, Map<String, String> environment) {
        Path target = folder().resolve("target");
        List<String> options = new ArrayList<>(jvm);
        options.add("-Dlogback.configurationFile=benchmarks/logback.xml");
        return ChildJvm.startOn(
                target.resolve("classes") + ":" + target.resolve("lib") + "/*",
                name,
                mainClass,
                options,
                args,
                environment);
    }

    /** Runs one of its main classes that makes its tables. */
    void install(String mainClass, TestDatabase database) {
        try (ChildProcess process = start(
                mainClass, List.of(), List.of(database.url(), database.username(), database.password()), Map.of())) {
            if (process.awaitExit(INSTALL_MAX) != 0) {
                throw new IllegalStateException(
                        name + " could not make its tables: " + String.join("\n  ", process.output()));
            }
        }
    }
}
