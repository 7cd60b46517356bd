package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A command that waits for a lock does not do so without a word. */
class WaitingCommandsTest {

    private final TestOutbox outbox = new TestOutbox("waiting");
    private final Map<String, String> environment = Command.environment(outbox);

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "status               | LOCK TABLE staged_jobs",
                "parked list          | LOCK TABLE parked_jobs",
                "parked requeue --all --yes | SELECT FROM staged_job_lanes FOR UPDATE",
                "pause --topic some   | LOCK TABLE staged_job_pauses",
                "migrate --payload-max 1000 | LOCK TABLE staged_jobs IN ROW EXCLUSIVE MODE",
                "migrate --lanes 3    | LOCK TABLE staged_job_lanes",
                "migrate --change-delivery exactly-once | LOCK TABLE staged_job_lanes IN ROW SHARE MODE"
            })
    void it_names_the_session_that_blocks_it_and_goes_on_afterwards(String command, String lock) throws Exception {
        outbox.dsl()
                .execute("INSERT INTO parked_jobs (lane, id, job_id, topic, job_name, staged_at, state, reason)"
                        + " VALUES (0, 1, gen_random_uuid(), 't', 'n', now(), 'parked', 'too large')");
        StringWriter err = new StringWriter();
        try (Connection holder = outbox.transaction();
                Statement statement = holder.createStatement()) {
            statement.execute("SET application_name = 'the holder'");
            statement.execute(lock);
            CompletableFuture<Integer> answer = CompletableFuture.supplyAsync(() -> Cli.execute(
                    List.of(command.split(" ")),
                    environment,
                    new PrintWriter(new StringWriter(), true),
                    new PrintWriter(err, true)));
            Eventually.until(
                    command + " says who blocks it",
                    () -> err.toString().contains("blocked by pid")
                            && err.toString().contains("(the holder, idle in"));
            holder.rollback();
            assertThat(answer.get(30, TimeUnit.SECONDS)).as(err.toString()).isZero();
        }
        assertThat(err.toString().lines()).hasSize(1);
    }

    @Test
    void migrate_waits_for_no_lock_that_an_application_can_hold() throws Exception {
        String role = "app_" + java.util.UUID.randomUUID().toString().replace("-", "");
        outbox.dsl().execute("CREATE ROLE " + role + " LOGIN PASSWORD 'secret'");
        outbox.dsl().execute("GRANT SELECT ON staged_jobs_schema TO " + role);
        outbox.dsl().execute("DELETE FROM staged_jobs_schema WHERE version = 4");
        outbox.dsl().execute("DROP TABLE staged_job_idempotency_keys");
        try (Connection application = outbox.database.connectAs(role, "secret");
                Statement statement = application.createStatement()) {
            application.setAutoCommit(false);
            statement.execute("SELECT pg_advisory_xact_lock(hashtextextended('staged-jobs migrate public', 0))");
            statement.execute("LOCK TABLE staged_jobs_schema IN ACCESS SHARE MODE");
            Command.Answer answer = CompletableFuture.supplyAsync(() -> Command.run(environment, "migrate"))
                    .get(30, TimeUnit.SECONDS);
            assertThat(answer.out()).contains("1 migration(s) applied");
        } finally {
            outbox.dsl().execute("DROP OWNED BY " + role);
            outbox.dsl().execute("DROP ROLE " + role);
        }
    }

    @Test
    void a_second_migration_waits_for_the_first_and_says_so() throws Exception {
        outbox.dsl().execute("DELETE FROM staged_jobs_schema WHERE version = 4");
        outbox.dsl().execute("DROP TABLE staged_job_idempotency_keys");
        it_names_the_session_that_blocks_it_and_goes_on_afterwards(
                "migrate", "LOCK TABLE staged_jobs_schema IN SHARE UPDATE EXCLUSIVE MODE");
    }
}
