package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A release is rolled out and rolled back: one enqueuer after the other is ended and started again, while jobs come.
 * Both releases are what was built here, unless the system property {@code faults.other.release} names the directory of
 * another one that was unpacked.
 */
@Tag("long")
class RollingRestartTest {

    /** What is promised is 15 s; the machine of the tests may be busy. */
    private static final Duration END_MAX = Duration.ofSeconds(20);

    private static final int ENQUEUERS = 3;

    private static final Optional<Path> OTHER_RELEASE =
            Optional.ofNullable(System.getProperty("faults.other.release")).map(Path::of);

    @Test
    void three_enqueuers_restarted_one_after_the_other_under_load_lose_and_repeat_nothing() throws Exception {
        try (Scene scene = new Scene(Map.of())) {
            List<Command.Daemon> all = new ArrayList<>();
            for (int i = 0; i < ENQUEUERS; i++) {
                all.add(old(scene, i));
            }
            try (Ledger.Load load = scene.ledger.load(3)) {
                for (int i = 0; i < ENQUEUERS; i++) {
                    load.await(50);
                    end(all.get(i));
                    all.add(scene.daemon("new-" + i));
                }
                for (int i = 0; i < ENQUEUERS; i++) {
                    load.await(50);
                    end(all.get(ENQUEUERS + i));
                    all.add(old(scene, i));
                }
                load.await(50);
            }
            scene.ledger.checkDrained();
            for (Command.Daemon daemon : all.subList(2 * ENQUEUERS, 3 * ENQUEUERS)) {
                Scene.awaitReady(daemon);
            }
        }
    }

    private static Command.Daemon old(Scene scene, int number) {
        String name = "old-" + number;
        return OTHER_RELEASE
                .map(release -> new Command.Daemon(scene.outbox, name, scene.environment, release))
                .orElseGet(() -> scene.daemon(name));
    }

    private static void end(Command.Daemon daemon) {
        long began = System.nanoTime();
        daemon.process.terminate();
        assertThat(daemon.process.awaitExit(END_MAX)).isZero();
        System.out.printf(
                "rolling restart: %s ended in %d ms%n", daemon.process.name(), (System.nanoTime() - began) / 1_000_000);
    }
}
