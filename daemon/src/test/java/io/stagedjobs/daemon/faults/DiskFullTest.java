package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.testkit.Eventually;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A part of PostgreSQL's files lies on a disk that is full. */
@Tag("long")
class DiskFullTest {

    @TempDir
    private Path directory;

    @Test
    void with_no_room_for_the_tables_nothing_acknowledged_is_lost_and_it_drains_once_there_is_room() throws Exception {
        try (SmallDisk disk = new SmallDisk(directory, "120m");
                Scene scene = new Scene(Map.of())) {
            moveTo(disk, scene, "base");
            Command.Daemon daemon = scene.daemon("enqueuer");
            try (Ledger.Load load = scene.ledger.load(3)) {
                load.await(50);
                Path ballast = disk.fill();
                Eventually.until("writers are refused", () -> load.lastFailure().startsWith("53100"));
                Files.delete(ballast);
                load.await(50);
            }
            Scene.awaitReady(daemon);
            scene.ledger.checkDrained();
        }
    }

    @Test
    void with_no_room_for_the_log_postgresql_ends_and_nothing_acknowledged_is_lost() throws Exception {
        try (SmallDisk disk = new SmallDisk(directory, "120m");
                Scene scene = new Scene(Map.of())) {
            moveTo(disk, scene, "pg_wal");
            Command.Daemon daemon = scene.daemon("enqueuer");
            try (Ledger.Load load = scene.ledger.load(3)) {
                load.await(50);
                disk.fill();
                Eventually.until("the server has ended", () -> {
                    useNextFileOfTheLog(scene);
                    return scene.postgres.log().stream()
                            .anyMatch(line -> line.contains("database system is shut down"));
                });
                assertThat(scene.postgres.log()).anyMatch(line -> line.contains("No space left on device"));
                Scene.awaitProblem(daemon, "\"postgresql\":");
                disk.grow("400m");
                scene.postgres.startAgain();
                load.await(50);
            }
            Scene.awaitReady(daemon);
            scene.ledger.checkDrained();
        }
    }

    @SuppressWarnings("EmptyCatch") // that is what this is for
    private static void useNextFileOfTheLog(Scene scene) {
        try {
            scene.ledger.execute("SELECT pg_switch_wal()");
        } catch (SQLException ended) {
            // no room for the next one
        }
    }

    private static void moveTo(SmallDisk disk, Scene scene, String part) throws Exception {
        scene.postgres.stop();
        disk.take(scene.postgres.dataDirectory().resolve(part));
        scene.postgres.startAgain();
    }
}
