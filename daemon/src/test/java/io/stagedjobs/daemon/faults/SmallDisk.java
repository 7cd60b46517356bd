package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Tools;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** A disk in memory that can be filled to its last byte. Whoever may not mount one has the test skipped. */
final class SmallDisk implements AutoCloseable {

    private final Path path;

    SmallDisk(Path emptyDirectory, String size) {
        this.path = emptyDirectory;
        Tools.require("mount");
        List<String> mount = List.of("mount", "-t", "tmpfs", "-o", "mode=0755,size=" + size, "tmpfs", path.toString());
        try (ChildProcess child = ChildProcess.start("mount", mount, Map.of())) {
            if (child.awaitExit(Duration.ofSeconds(30)) != 0) {
                throw Tools.unusable("mount", "may not mount a tmpfs here: " + child.output());
            }
        }
    }

    /** Moves a directory here, and leaves a link in its place. */
    void take(Path directory) throws IOException {
        Path moved = path.resolve(directory.getFileName());
        run("cp", "-a", directory.toString(), moved.toString());
        run("rm", "-rf", directory.toString());
        Files.createSymbolicLink(directory, moved);
    }

    /** Fills what is free; returns the file that holds it. */
    Path fill() throws IOException {
        Path ballast = path.resolve("ballast");
        try (OutputStream out = Files.newOutputStream(ballast)) {
            while (true) {
                out.write(new byte[4096]);
            }
        } catch (IOException full) {
            assertThat(full).hasMessageContaining("No space left");
            return ballast;
        }
    }

    void grow(String size) {
        run("mount", "-o", "remount,size=" + size, path.toString());
    }

    @Override
    public void close() {
        run("umount", path.toString());
    }

    private static void run(String... command) {
        try (ChildProcess child = ChildProcess.start(command[0], List.of(command), Map.of())) {
            int exitCode = child.awaitExit(Duration.ofSeconds(60));
            assertThat(exitCode).as("%s: %s", List.of(command), child.output()).isZero();
        }
    }
}
