package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** People at work on the tables: locks, maintenance, rows taken away. */
class OperatorFaultsTest {

    private static final Duration PATIENCE = Duration.ofSeconds(60);

    @Test
    void a_locked_lane_or_table_is_waited_for_the_log_names_who_blocks_and_the_other_lanes_go_on() throws Exception {
        try (Scene scene = new Scene(Map.of())) {
            Command.Daemon daemon = scene.daemon("enqueuer");
            scene.ledger.stage(400);
            Eventually.until("the first jobs are published", () -> scene.ledger.waiting() == 0);
            int lane = scene.outbox.laneOf(scene.topic, "bulk.0");
            try (Connection operator = operator(scene);
                    Statement statement = operator.createStatement()) {
                String pid = ask(statement, "SELECT pg_backend_pid()");
                statement.execute("SELECT FROM staged_job_lanes WHERE lane = " + lane + " FOR UPDATE");
                scene.ledger.stage(400);
                Eventually.until("the other lanes are empty", () -> scene.ledger
                        .ask("SELECT count(*) FROM staged_jobs WHERE lane <> " + lane)
                        .equals("0"));
                assertThat(scene.ledger.waiting()).isPositive();
                awaitBlockedBy(daemon, "lane " + lane + " ", pid);
                operator.rollback();
                Eventually.until("nothing waits", () -> scene.ledger.waiting() == 0);
            }
            try (Connection operator = operator(scene);
                    Statement statement = operator.createStatement()) {
                String pid = ask(statement, "SELECT pg_backend_pid()");
                scene.ledger.stage(400);
                statement.execute("LOCK TABLE staged_jobs");
                awaitBlockedBy(daemon, "", pid);
                operator.rollback();
            }
            Scene.awaitReady(daemon);
            scene.ledger.checkDrained();
        }
    }

    private static void awaitBlockedBy(Command.Daemon daemon, String lane, String pid) {
        daemon.process.awaitLine(
                Pattern.compile("WARN .*" + lane + ".*\\(SQLSTATE 55P03\\).*blocked by pid " + pid
                        + " \\(the operator, idle in transaction"),
                PATIENCE);
    }

    private static Connection operator(Scene scene) throws Exception {
        Connection connection = scene.ledger.connect();
        try (Statement statement = connection.createStatement()) {
            statement.execute("SET application_name = 'the operator'; SET deadlock_timeout = '60s'");
        }
        connection.setAutoCommit(false);
        return connection;
    }

    private static String ask(Statement statement, String sql) throws Exception {
        try (ResultSet row = statement.executeQuery(sql)) {
            row.next();
            return row.getString(1);
        }
    }

    @Test
    @Tag("long")
    void a_deadlock_after_kafkas_commit_is_found_out_by_acquiring_and_nothing_is_published_twice() throws Exception {
        try (TestKafka kafka = TestKafka.startEmbedded();
                Scene scene = new Scene(Map.of(), kafka, 1)) {
            scene.set("STAGED_JOBS_PUBLISH_TIMEOUT", "60s");
            Command.Daemon daemon = scene.daemon("enqueuer");
            scene.ledger.stage(100);
            Eventually.until("the first jobs are published", () -> scene.ledger.waiting() == 0);
            kafka.suspend();
            try (Connection operator = operator(scene);
                    Statement statement = operator.createStatement()) {
                scene.ledger.stage(100);
                Eventually.until("the batch waits for the frozen broker", () -> scene.batchesOpen() > 0);
                String pid = ask(statement, "SELECT pg_backend_pid()");
                statement.execute("SELECT FROM staged_jobs FOR UPDATE");
                CompletableFuture<Void> lane = CompletableFuture.runAsync(() -> lockLanes(statement));
                Eventually.until("the operator waits for the lane", () -> scene.ledger
                        .ask("SELECT wait_event_type FROM pg_stat_activity WHERE pid = " + pid)
                        .equals("Lock"));
                kafka.resume(); // the deletion now waits for the operator, who waits for the lane
                daemon.process.awaitLine(Pattern.compile("WARN .*40P01.*deadlock detected"), PATIENCE);
                lane.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
                operator.rollback();
            } finally {
                kafka.resume();
            }
            scene.ledger.stage(100);
            scene.ledger.checkDrained();
        }
    }

    private static void lockLanes(Statement statement) {
        try {
            statement.execute("SELECT FROM staged_job_lanes FOR UPDATE");
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    @Tag("long")
    void maintenance_of_the_table_under_load_costs_no_job() throws Exception {
        try (Scene scene = new Scene(Map.of())) {
            Command.Daemon daemon = scene.daemon("enqueuer");
            try (Ledger.Load load = scene.ledger.load(3)) {
                for (String statement : List.of(
                        "VACUUM FULL staged_jobs",
                        "ALTER TABLE staged_jobs ADD COLUMN note text",
                        "CREATE INDEX by_topic ON staged_jobs (topic)",
                        "REINDEX TABLE staged_jobs",
                        "CLUSTER staged_jobs USING by_topic",
                        "DROP INDEX by_topic",
                        "ALTER TABLE staged_jobs DROP COLUMN note",
                        "VACUUM FULL staged_job_lanes",
                        "VACUUM FULL staged_job_batches")) {
                    load.await(20);
                    scene.ledger.execute(statement);
                }
                load.await(20);
            }
            scene.ledger.checkDrained();
            Scene.awaitReady(daemon);
        }
    }

    @Test
    @Tag("long")
    void rows_that_an_operator_deletes_or_truncates_are_missed_by_nobody_else() throws Exception {
        try (Scene scene = new Scene(Map.of())) {
            String doomed = scene.kafka.newTopic("doomed", 3);
            Command.Daemon daemon = scene.daemon("enqueuer");
            for (int i = 0; i < 5; i++) {
                scene.ledger.execute(stage(doomed, i, 4_000));
                Eventually.until("a part is published", () -> scene.ledger.waiting() < 4_000);
                insist(scene, i % 2 == 0 ? "TRUNCATE staged_jobs" : "DELETE FROM staged_jobs");
            }
            try (Ledger.Load load = scene.ledger.load(3)) {
                for (int i = 5; i < 15; i++) {
                    scene.ledger.execute(stage(doomed, i, 1_000));
                    load.await(10);
                    insist(scene, "DELETE FROM staged_jobs WHERE topic = '" + doomed + "'");
                }
            }
            scene.ledger.checkDrained();
            Scene.awaitReady(daemon);
            assertThat(scene.outbox.namesIn(doomed)).doesNotHaveDuplicates();
        }
    }

    /** Rows are deleted in no order: of two who delete the same ones either may be the victim of a deadlock. */
    private static void insist(Scene scene, String sql) throws Exception {
        Eventually.until("the operator has had his way", () -> {
            try {
                scene.ledger.execute(sql);
                return true;
            } catch (SQLException e) {
                assertThat(e.getSQLState()).isEqualTo("40P01");
                return false;
            }
        });
    }

    private static String stage(String topic, int round, int jobs) {
        return "INSERT INTO staged_jobs (topic, job_key, job_name) SELECT '" + topic + "', n % 40, '" + round
                + ".' || n FROM generate_series(1, " + jobs + ") AS n";
    }
}
