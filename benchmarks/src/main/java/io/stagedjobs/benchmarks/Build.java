package io.stagedjobs.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A built checkout of this project, and what its enqueuer is started with.
 *
 * @param suffix what its relays' labels end with
 * @param migrate options of its command {@code migrate}
 * @param settings environment variables of its enqueuer
 * @param java the home of the Java that it runs on
 */
record Build(Path tree, String suffix, List<String> migrate, Map<String, String> settings, String java) {

    private static final Path DISTRIBUTION = Path.of("enqueuer", "target", "staged-jobs");

    /** Builds the checkout if that was not done before; not again if it has changed since. */
    Build {
        if (!Files.isDirectory(tree.resolve(DISTRIBUTION))) {
            System.err.println("building " + tree);
            String said = output("mvn", "-q", "-B", "-ntp", "-pl", "core,enqueuer", "-am", "package", "-DskipTests");
            if (!Files.isDirectory(tree.resolve(DISTRIBUTION))) {
                throw new IllegalStateException(tree + " could not be built: " + said);
            }
        }
    }

    String launcher() {
        return tree.resolve(DISTRIBUTION)
                .resolve("bin/staged-jobs")
                .toAbsolutePath()
                .toString();
    }

    /** Which commit is checked out there now. */
    String commit() {
        return output("git", "describe", "--always", "--dirty").trim();
    }

    private String output(String... command) {
        try {
            Process process = new ProcessBuilder(command)
                    .directory(tree.toFile())
                    .redirectErrorStream(true)
                    .start();
            return new String(process.getInputStream().readAllBytes(), UTF_8);
        } catch (IOException e) {
            throw new IllegalStateException("cannot run " + command[0] + " in " + tree, e);
        }
    }
}
