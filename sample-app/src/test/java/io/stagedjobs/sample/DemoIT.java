package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoIT {

    private static final Duration ENDS_WITHIN = Duration.ofMinutes(4);

    @Test
    void plays_its_story_audits_it_and_exits_with_0() {
        try (ChildProcess demo = demo(Launcher.PATH.toString())) {
            assertThat(demo.awaitExit(ENDS_WITHIN))
                    .as("the demo said %s", demo.output())
                    .isZero();
            assertThat(demo.stdout())
                    .anyMatch(line -> line.matches(" +requests +275 sent.*"))
                    .anyMatch(line -> line.matches(" +committed +241 transactions.*"))
                    .anyMatch(line -> line.matches(" +rolled back +30 transactions.*"))
                    .anyMatch(line -> line.matches(" +published +241 records.*"))
                    .anyMatch(line -> line.matches(" +consumed +241 jobs.*"))
                    .anyMatch(line -> line.matches(" +audit +PASSED.*"));
        }
    }

    @Test
    void exits_with_1_if_an_enqueuer_only_claims_to_have_published(@TempDir Path directory) throws IOException {
        Path liar = directory.resolve("staged-jobs");
        Files.writeString(liar, """
                #!/bin/sh
                case $1 in
                    migrate) exec '%s' migrate ;;
                    run) echo 'admin on http://127.0.0.1:1/'; exec sleep 600 ;;
                    drain) echo 'published 241 jobs' ;;
                esac
                """.formatted(Launcher.PATH));
        Files.setPosixFilePermissions(liar, PosixFilePermissions.fromString("rwx------"));
        try (ChildProcess demo = demo(liar.toString())) {
            assertThat(demo.awaitExit(ENDS_WITHIN)).isEqualTo(1);
            assertThat(demo.stdout())
                    .anyMatch(line -> line.matches(" +audit +FAILED: 241 actions stored, 0 rec.*241 lost.*"));
        }
    }

    @Test
    void without_the_enqueuer_it_starts_nothing_and_says_how_to_build_it() {
        try (ChildProcess demo = demo("/nowhere/staged-jobs")) {
            assertThat(demo.awaitExit(ENDS_WITHIN)).isEqualTo(1);
            assertThat(demo.stderr())
                    .singleElement()
                    .asString()
                    .contains("cannot find")
                    .contains("mvn -q -Pdemo");
        }
    }

    private static ChildProcess demo(String launcher) {
        return ChildJvm.start(
                "demo",
                Demo.class,
                List.of("-Xmx512m", "-Ddemo.exit", "-Ddemo.launcher=" + launcher),
                List.of(),
                Map.of());
    }
}
