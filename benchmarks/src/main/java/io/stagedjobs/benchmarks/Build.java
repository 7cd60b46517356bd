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

    /** Builds the checkout if that was not done before; not again if it has changed since. */
    Build {
        if (!Files.isDirectory(distribution(tree))) {
            System.err.println("building " + tree);
            String said = output("mvn", "-q", "-B", "-ntp", "-pl", module(tree), "-am", "package", "-DskipTests");
            if (!Files.isDirectory(distribution(tree))) {
                throw new IllegalStateException(tree + " could not be built: " + said);
            }
        }
    }

    String launcher() {
        return distribution(tree).resolve("bin/staged-jobs").toAbsolutePath().toString();
    }

    private static Path distribution(Path tree) {
        return tree.resolve(module(tree)).resolve("target/staged-jobs");
    }

    /** Which module has the launcher: in a baseline from before the module daemon, the enqueuer. */
    private static String module(Path tree) {
        return Files.isDirectory(tree.resolve("enqueuer/src/launcher")) ? "enqueuer" : "daemon";
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
