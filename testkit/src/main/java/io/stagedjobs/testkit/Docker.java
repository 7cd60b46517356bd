package io.stagedjobs.testkit;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;
import org.testcontainers.DockerClientFactory;

/** Whether a Docker engine answers on this machine; checked once. */
final class Docker {

    private static final boolean ANSWERS =
            mayBeThere() && DockerClientFactory.instance().isDockerAvailable();

    private Docker() {}

    static boolean answers() {
        return ANSWERS;
    }

    /**
     * Whether there is a sign of an engine. Testcontainers logs each failed way to an engine as an error; without
     * Docker it is therefore not used at all.
     */
    private static boolean mayBeThere() {
        if (System.getenv("DOCKER_HOST") != null
                || System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("windows")) {
            return true;
        }
        String home = System.getProperty("user.home");
        String runtimeDirectory = Objects.requireNonNullElse(System.getenv("XDG_RUNTIME_DIR"), "/run/user/none");
        return Stream.of(
                        Path.of("/var/run/docker.sock"),
                        Path.of(runtimeDirectory, "docker.sock"),
                        Path.of(home, ".docker", "run", "docker.sock"),
                        Path.of(home, ".docker", "desktop", "docker.sock"),
                        Path.of(home, ".testcontainers.properties"))
                .anyMatch(Files::exists);
    }
}
