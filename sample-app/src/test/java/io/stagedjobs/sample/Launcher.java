package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.ChildProcess;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** The enqueuer as it is shipped, a process of its own. The build leaves it there before it runs these tests. */
final class Launcher {

    static final Path PATH = Path.of("..", "daemon", "target", "staged-jobs", "bin", "staged-jobs")
            .toAbsolutePath();

    private static final Duration ENDS_WITHIN = Duration.ofMinutes(2);

    private Launcher() {}

    static void drain(SampleTables tables, String bootstrapServers) {
        assertThat(PATH).as("the launcher, which `mvn verify` builds").isExecutable();
        Map<String, String> settings = Map.of(
                "STAGED_JOBS_DATABASE_URL", tables.database.url(),
                "STAGED_JOBS_DATABASE_USERNAME", tables.database.username(),
                "STAGED_JOBS_DATABASE_PASSWORD", tables.database.password(),
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS", bootstrapServers,
                "STAGED_JOBS_DELIVERY", "exactly-once");
        try (ChildProcess drain = ChildProcess.start("drain", List.of(PATH.toString(), "drain"), settings)) {
            assertThat(drain.awaitExit(ENDS_WITHIN))
                    .as("drain said %s", drain.output())
                    .isZero();
        }
    }
}
