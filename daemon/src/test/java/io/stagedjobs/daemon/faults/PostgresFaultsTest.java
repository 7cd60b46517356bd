package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** PostgreSQL crashes, starts up, has no room for another connection, and learns new passwords. */
class PostgresFaultsTest {

    /** Nothing but a synchronous commit brings the log to the disk. */
    private static final Map<String, String> LAZY_LOG = Map.of(
            "wal_writer_delay", "10s",
            "wal_writer_flush_after", "1GB",
            "bgwriter_lru_maxpages", "0",
            "autovacuum", "off");

    @Test
    @Tag("long")
    void crashes_under_writers_lose_and_repeat_nothing_and_starting_up_is_waited_for() throws Exception {
        try (Scene scene = new Scene(Map.of())) {
            Command.Daemon daemon = scene.daemon("enqueuer");
            try (Ledger.Load load = scene.ledger.load(3)) {
                for (int crash = 0; crash < 3; crash++) {
                    load.await(40);
                    scene.postgres.stopImmediately();
                    scene.postgres.startAgain();
                }
                load.await(20);
                refuseConnections(scene, daemon);
                scene.postgres.stopImmediately();
                scene.postgres.startAgain();
                load.await(20);
            }
            Scene.awaitReady(daemon);
            scene.ledger.checkDrained();
        }
    }

    /** A shutdown that waits for a session answers new ones as a start does that recovers: 57P03. */
    private static void refuseConnections(Scene scene, Command.Daemon daemon) throws Exception {
        try (Connection administrator = scene.ledger.connect();
                Statement statement = administrator.createStatement()) {
            String postmaster = Files.readAllLines(
                            scene.postgres.dataDirectory().resolve("postmaster.pid"))
                    .get(0);
            signal("TERM", postmaster);
            Eventually.until("the daemon has no connection left", () -> {
                statement.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        + " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'");
                return !daemon.isReady() && Scene.health(daemon).contains("57P03");
            });
        }
    }

    private static void signal(String signal, String pid) throws Exception {
        assertThat(new ProcessBuilder("kill", "-" + signal, pid).start().waitFor())
                .isZero();
    }

    @Test
    @Tag("long")
    void a_job_whose_asynchronous_commit_a_crash_took_back_was_never_published() throws Exception {
        try (TestKafka kafka = TestKafka.startEmbedded();
                Scene scene = new Scene(LAZY_LOG, kafka, 1)) {
            scene.set("STAGED_JOBS_PUBLISH_TIMEOUT", "60s");
            scene.set("STAGED_JOBS_HEARTBEAT_INTERVAL", "60s"); // a heartbeat is a synchronous commit
            scene.set("STAGED_JOBS_TAKEOVER_AFTER", "3m");
            scene.daemon("enqueuer");
            scene.ledger.stage(100);
            Eventually.until("the first jobs are published", () -> scene.ledger.waiting() == 0);
            List<String> unread;
            kafka.suspend();
            try (Connection writer = scene.ledger.connect();
                    Statement statement = writer.createStatement()) {
                // It would flush what it finds whenever it wakes up.
                signal("STOP", scene.ledger.ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"));
                statement.execute("SET synchronous_commit = off");
                writer.setAutoCommit(false);
                scene.ledger.stage(writer, "hasty", 50, 100);
                writer.commit();
                Eventually.until("a batch waits for the frozen broker", () -> scene.batchesOpen() > 0);
                unread = scene.ledger.stage(writer, "hasty", 50, 100);
                writer.commit();
                scene.postgres.stopImmediately();
            } finally {
                kafka.resume();
            }
            scene.postgres.startAgain();
            assertThat(scene.ledger.ask("SELECT count(*) FROM ledger WHERE name = '" + unread.get(0) + "'"))
                    .as("the crash took back what nobody had read")
                    .isEqualTo("0");
            scene.ledger.stage(100);
            scene.ledger.checkDrained(false);
        }
    }

    @Test
    @Tag("long")
    void crashes_under_writers_that_commit_asynchronously_leave_kafka_with_what_the_database_kept() throws Exception {
        try (Scene scene = new Scene(LAZY_LOG)) {
            scene.daemon("enqueuer");
            try (Ledger.Load load = scene.ledger.load(6, "SET LOCAL synchronous_commit = off")) {
                for (int crash = 0; crash < 12; crash++) {
                    load.await(100);
                    scene.postgres.stopImmediately();
                    scene.postgres.startAgain();
                }
            }
            scene.ledger.checkDrained(false);
        }
    }

    @Test
    @Tag("long")
    void without_a_free_connection_it_waits_says_why_and_goes_on_by_itself() throws Exception {
        try (Scene scene = new Scene(Map.of("max_connections", "30"))) {
            Command.Daemon daemon = scene.daemon("enqueuer");
            scene.ledger.stage(200);
            Eventually.until("the first jobs are published", () -> scene.ledger.waiting() == 0);
            List<Connection> hogs = new ArrayList<>();
            try (Connection administrator = scene.ledger.connect();
                    Statement statement = administrator.createStatement()) {
                Eventually.until("health says why", () -> {
                    statement.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            + " WHERE application_name LIKE 'staged-jobs%'");
                    takeAll(scene, hogs);
                    return !daemon.isReady()
                            && Scene.health(daemon).contains("53300")
                            && Scene.health(daemon).contains("too many clients already");
                });
                statement.execute("INSERT INTO staged_jobs (topic, job_key, job_name) SELECT '" + scene.topic
                        + "', 'waits', 'waits#' || n FROM generate_series(1, 50) AS n");
                statement.execute(
                        "INSERT INTO ledger SELECT 'waits#' || n, 'waits', n FROM generate_series(1, 50) AS n");
            } finally {
                for (Connection hog : hogs) {
                    hog.close();
                }
            }
            Scene.awaitReady(daemon);
            scene.ledger.checkDrained();
        }
    }

    private static void takeAll(Scene scene, List<Connection> hogs) {
        try {
            while (true) {
                hogs.add(scene.ledger.connect());
            }
        } catch (SQLException full) {
            assertThat(full.getSQLState()).isEqualTo("53300");
        }
    }

    @Test
    void a_rotated_password_is_read_from_its_file_without_a_restart(@TempDir Path directory) throws Exception {
        Path file = directory.resolve("password");
        try (Scene scene = new Scene(Map.of())) {
            scene.ledger.execute("CREATE ROLE rotating SUPERUSER LOGIN PASSWORD 'the first one'");
            Files.writeString(file, "the first one\n");
            Map<String, String> withFile = new HashMap<>(scene.environment);
            withFile.remove("STAGED_JOBS_DATABASE_PASSWORD");
            scene.environment = Command.with(
                    withFile,
                    "STAGED_JOBS_DATABASE_USERNAME",
                    "rotating",
                    "STAGED_JOBS_DATABASE_PASSWORD_FILE",
                    file.toString());
            Command.Daemon daemon = scene.daemon("enqueuer");
            try (Ledger.Load load = scene.ledger.load(2)) {
                load.await(20);
                Scene.awaitReady(daemon);
                scene.ledger.execute("ALTER ROLE rotating PASSWORD 'the second one'");
                // A session that was on its way in with the first password may come after the others were ended.
                Eventually.until("health says that the password is wrong", () -> {
                    scene.endConnectionsOfDaemons();
                    return Scene.health(daemon).contains("password authentication failed for user \\\"rotating\\\"");
                });
                assertThat(Scene.health(daemon)).contains("28P01").doesNotContain("the first one");
                Files.writeString(file, "the second one\n");
                Scene.awaitReady(daemon);
                assertThat(daemon.get("api/v1/status").statusCode()).isEqualTo(200);
            }
            scene.ledger.checkDrained();
        }
    }
}
