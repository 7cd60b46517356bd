package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.testkit.Eventually;
import java.sql.SQLException;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The disk reports an error when PostgreSQL syncs its files. It then trusts nothing in memory and recovers from the
 * log.
 */
@Tag("long")
class SyncErrorTest {

    /** What is synced, and by which system call. */
    enum Part {
        LOG("fdatasync"),
        TABLES("fsync");

        private final String call;

        Part(String call) {
            this.call = call;
        }
    }

    @ParameterizedTest
    @EnumSource(Part.class)
    void after_an_error_of_a_sync_postgresql_starts_itself_again_and_nothing_acknowledged_is_lost(Part part)
            throws Exception {
        try (Scene scene = new Scene(Map.of())) {
            assertThat(scene.ledger.ask("SHOW fsync")).isEqualTo("on");
            Command.Daemon daemon = scene.daemon("enqueuer");
            try (Ledger.Load load = scene.ledger.load(3)) {
                load.await(50);
                failUntilItLogs(scene, part, "all server processes terminated; reinitializing");
                load.await(50);
            }
            Scene.awaitReady(daemon);
            scene.ledger.checkDrained();
        }
    }

    @ParameterizedTest
    @EnumSource(Part.class)
    void after_an_error_of_a_sync_postgresql_ends_and_nothing_acknowledged_is_lost_once_it_is_started_again(Part part)
            throws Exception {
        try (Scene scene = new Scene(Map.of("restart_after_crash", "off"))) {
            Command.Daemon daemon = scene.daemon("enqueuer");
            try (Ledger.Load load = scene.ledger.load(3)) {
                load.await(50);
                failUntilItLogs(scene, part, "database system is shut down");
                Scene.awaitProblem(daemon, "\"postgresql\":");
                scene.postgres.startAgain();
                load.await(50);
            }
            Scene.awaitReady(daemon);
            scene.ledger.checkDrained();
        }
    }

    private static void failUntilItLogs(Scene scene, Part part, String lastWords) throws Exception {
        try (FailingSync disk = new FailingSync(scene.postgres, part.call)) {
            if (part == Part.TABLES) {
                checkpoint(scene);
            }
            awaitLog(scene, "PANIC:  could not " + part.call + " file");
            awaitLog(scene, lastWords);
        }
    }

    @SuppressWarnings("EmptyCatch") // that is what this is for
    private static void checkpoint(Scene scene) {
        try {
            scene.ledger.execute("CHECKPOINT");
        } catch (SQLException ended) {
            // with everybody's connection
        }
    }

    private static void awaitLog(Scene scene, String words) throws Exception {
        Eventually.until(
                "PostgreSQL logs " + words, () -> scene.postgres.log().stream().anyMatch(line -> line.contains(words)));
    }
}
