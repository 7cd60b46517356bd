package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.WakeUp;
import io.stagedjobs.sample.SampleApp.CannotStartException;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;

/** The program as it is started and stopped, and as it behaves when its servers are not there. */
class SampleAppTest {

    private static final Duration SOON = Duration.ofSeconds(60);
    private static final Pattern LISTENING = Pattern.compile("Listening on (http://\\S+);");
    private static final String NO_BROKER = "127.0.0.1:1";

    @Test
    void runs_until_it_is_told_to_stop() {
        TestDatabase database = SampleTables.createIn(TestPostgres.shared()).database;
        try (ChildProcess sample = run(environment(database, TestKafka.shared().bootstrapServers()))) {
            Matcher listening = LISTENING.matcher(sample.awaitLine(LISTENING, SOON));
            assertThat(listening.find()).isTrue();
            assertThat(new SampleClient(listening.group(1))
                            .put("main@example.org")
                            .statusCode())
                    .isEqualTo(201);

            sample.terminate();

            assertThat(sample.awaitExit(SOON)).isZero();
            assertThat(sample.stderr()).last().asString().contains("Stopped.");
        }
    }

    @Test
    void it_forgets_idempotency_keys_after_a_day() throws Exception {
        SampleTables tables = SampleTables.createIn(TestPostgres.shared());
        tables.dsl.execute("INSERT INTO staged_job_idempotency_keys"
                + " (scope, idempotency_key, fingerprint, status, headers, body, created_at)"
                + " SELECT 'test', hours::text, 'of a request', 200, '{}', '', clock_timestamp() - hours * interval"
                + " '1 hour' FROM (VALUES (23), (25)) AS kept (hours)");
        try (SampleApp sample = start(settings(tables.database))) {
            Eventually.until("the older one is forgotten", () -> tables.dsl
                    .fetch("SELECT idempotency_key FROM staged_job_idempotency_keys")
                    .getValues(0, String.class)
                    .equals(List.of("23")));
            assertThat(sample.url()).isNotEmpty();
        }
    }

    @Test
    void wrong_settings_end_the_start_with_code_2() {
        try (ChildProcess missing = run(Map.of());
                ChildProcess wrong = run(Map.of("SAMPLE_HTTP_PORT", "none"))) {
            assertThat(missing.awaitExit(SOON)).isEqualTo(2);
            assertThat(missing.stderr())
                    .anyMatch(line -> line.matches("Missing required options.*--database-url.*--kafka.*"))
                    .anyMatch(line -> line.contains("SAMPLE_DATABASE_URL"));
            assertThat(wrong.awaitExit(SOON)).isEqualTo(2);
            assertThat(wrong.stderr()).anyMatch(line -> line.startsWith("Invalid value for option '--http-port'"));
        }
    }

    @Test
    void a_database_without_the_tables_of_staged_jobs_ends_the_start_and_says_how_to_get_them() {
        TestDatabase empty = TestPostgres.shared().newDatabase("sample_empty");
        try (ChildProcess sample = run(environment(empty, NO_BROKER))) {
            assertThat(sample.awaitExit(SOON)).isEqualTo(1);
            assertThat(sample.stderr())
                    .last()
                    .asString()
                    .contains("staged-jobs migrate")
                    .contains("start the sample");
        }
    }

    @Test
    void a_database_that_does_not_answer_ends_the_start() {
        SampleSettings nowhere = settings("jdbc:postgresql://127.0.0.1:1/none", "app", "hush");

        assertThatThrownBy(() -> start(nowhere))
                .isInstanceOf(CannotStartException.class)
                .hasMessageContainingAll(
                        "could not connect to PostgreSQL", "SAMPLE_DATABASE_URL", "Nothing was started")
                .hasMessageNotContaining("hush");
    }

    @Test
    void a_port_that_is_taken_ends_the_start() throws IOException {
        TestDatabase database = SampleTables.createIn(TestPostgres.shared()).database;
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            SampleSettings settings = settings(database);
            settings.httpPort = taken.getLocalPort();

            assertThatThrownBy(() -> start(settings))
                    .isInstanceOf(CannotStartException.class)
                    .hasMessageContainingAll(
                            "could not listen on 127.0.0.1:" + taken.getLocalPort(), "SAMPLE_HTTP_PORT");
        }
    }

    @Test
    void the_roles_of_the_manual_are_made_from_nothing_and_suffice_to_install_the_tables() throws Exception {
        TestDatabase database = TestPostgres.shared().newDatabase("sample_roles");
        DSLContext superuser = DSL.using(database.dataSource(), SQLDialect.POSTGRES);
        String suffix = "_" + UUID.randomUUID().toString().replace("-", "");
        superuser.execute(manual("roles").replaceAll("(owner|app|enqueuer|observer)_role", "$1" + suffix));
        try (Connection owner = database.connectAs("owner" + suffix, "change-me")) {
            Schema.PUBLIC.migrate(owner);
            owner.createStatement().execute(manual("grants-application").replace("app_role", "app" + suffix));
        }
        try (Connection app = database.connectAs("app" + suffix, "change-me")) {
            app.createStatement().execute("SELECT stage_job('users', 'user.created', '{}')");
        } finally {
            for (String role : List.of("owner", "app", "enqueuer", "observer")) {
                superuser.execute("DROP OWNED BY " + role + suffix + " CASCADE");
                superuser.execute("DROP ROLE " + role + suffix);
            }
        }
    }

    /** The statements of that block of the manual. */
    private static String manual(String block) throws IOException {
        return Files.readString(Path.of("..", "docs", "operations.md"))
                .replaceAll("(?s).*```sql " + block + "\\n(.*?)```.*", "$1");
    }

    @Test
    void a_role_that_may_create_no_tables_can_run_the_service_once_they_exist() throws IOException {
        SampleTables tables = SampleTables.createIn(TestPostgres.shared());
        String role = "sample_" + UUID.randomUUID().toString().replace("-", "");
        tables.dsl.execute("CREATE ROLE " + role + " LOGIN PASSWORD 'secret'");
        tables.dsl.execute(manual("grants-application").replace("app_role", role));
        SampleSettings settings = settings(tables.database.url(), role, "secret");
        // To stage, an application need not know the version; the sample looks at it when it starts.
        tables.dsl.execute("REVOKE ALL ON staged_jobs_schema FROM " + role);
        assertThatThrownBy(() -> start(settings))
                .isInstanceOf(CannotStartException.class)
                .hasMessageContainingAll("staged_jobs_schema", "GRANT SELECT");
        tables.dsl.execute("GRANT SELECT ON staged_jobs_schema TO " + role);
        tables.dsl.execute("GRANT SELECT, INSERT ON users, user_actions TO " + role);
        try (SampleApp app = start(settings)) {
            assertThat(new SampleClient(app.url()).put("modest@example.org").statusCode())
                    .isEqualTo(201);
            assertThat(tables.jobsFor("modest@example.org")).isEqualTo(1);
        } finally {
            tables.dsl.execute("DROP OWNED BY " + role);
            tables.dsl.execute("DROP ROLE " + role);
        }
    }

    @Test
    void users_are_created_while_no_broker_answers() {
        SampleTables tables = SampleTables.createIn(TestPostgres.shared());
        try (SampleApp app = start(settings(tables.database))) {
            assertThat(new SampleClient(app.url()).put("offline@example.org").statusCode())
                    .isEqualTo(201);
            assertThat(tables.jobsFor("offline@example.org")).isEqualTo(1);
        }
    }

    @Test
    void a_commit_that_staged_a_job_wakes_the_enqueuers() throws SQLException {
        SampleTables tables = SampleTables.createIn(TestPostgres.shared());
        try (SampleApp app = start(settings(tables.database));
                Connection enqueuer = tables.database.connect()) {
            enqueuer.createStatement().execute("LISTEN " + WakeUp.CHANNEL);

            new SampleClient(app.url()).put("early@example.org");

            assertThat(enqueuer.unwrap(PGConnection.class).getNotifications((int) SOON.toMillis()))
                    .isNotEmpty();
        }
    }

    @Test
    void without_its_database_the_service_says_when_to_come_back_and_then_goes_on() throws Exception {
        try (TestPostgres postgres = TestPostgres.startEmbedded()) {
            SampleTables tables = SampleTables.createIn(postgres);
            try (SampleApp app = start(settings(tables.database))) {
                SampleClient client = new SampleClient(app.url());
                postgres.stop();

                for (HttpResponse<String> away : List.of(client.put("a@example.org"), client.send("GET", "/health"))) {
                    assertThat(away.statusCode()).isEqualTo(503);
                    assertThat(away.headers().firstValue("Retry-After")).hasValue("5");
                    assertThat(SampleClient.error(away)).contains("database").contains("Nothing was kept");
                }

                postgres.startAgain();
                // A connection that the pool had before may be met once more: the client comes back, as it was told.
                Eventually.until(
                        "the service goes on", () -> client.put("a@example.org").statusCode() == 201);
                assertThat(tables.jobsFor("a@example.org")).isEqualTo(1);
            }
        }
    }

    private static ChildProcess run(Map<String, String> environment) {
        return ChildJvm.start("sample", SampleApp.class, List.of("-Xmx256m"), List.of(), environment);
    }

    private static Map<String, String> environment(TestDatabase database, String bootstrapServers) {
        return new HashMap<>(Map.of(
                "SAMPLE_DATABASE_URL", database.url(),
                "SAMPLE_DATABASE_USERNAME", database.username(),
                "SAMPLE_DATABASE_PASSWORD", database.password(),
                "SAMPLE_KAFKA_BOOTSTRAP_SERVERS", bootstrapServers,
                "SAMPLE_HTTP_PORT", "0"));
    }

    private static SampleApp start(SampleSettings settings) {
        return SampleApp.start(settings, Topics.DEFAULT, job -> {}, List.of());
    }

    private static SampleSettings settings(TestDatabase database) {
        return settings(database.url(), database.username(), database.password());
    }

    private static SampleSettings settings(String url, String username, String password) {
        return SampleSettings.of(
                "--database-url=" + url,
                "--database-username=" + username,
                "--database-password=" + password,
                "--kafka=" + NO_BROKER,
                "--http-port=0");
    }
}
