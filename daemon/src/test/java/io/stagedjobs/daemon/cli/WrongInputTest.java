package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command.Answer;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.net.ServerSocket;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What an operator can get wrong: what happened, what was kept, what to do, and the exit code. */
class WrongInputTest {

    private static final int COULD_NOT = 1;
    private static final int WRONG_USAGE = 2;

    private TestOutbox outbox;
    private Map<String, String> environment;

    @BeforeEach
    void open() {
        outbox = new TestOutbox("wrong");
        environment = Command.environment(outbox);
        outbox.stage("some.topic", "k", "kept");
    }

    @AfterEach
    void nothingIsLost() throws Exception {
        assertThat(outbox.waiting() + outbox.aside().size()).isEqualTo(1);
        outbox.close();
    }

    private Answer answerTo(String command, String... changed) {
        return Command.run(Command.with(environment, changed), command);
    }

    private static void assertRefused(Answer answer, int exitCode, String... words) {
        assertThat(answer.err()).contains(words).doesNotContain("\tat ");
        assertThat(answer.exitCode()).isEqualTo(exitCode);
    }

    @Test
    void no_command_and_an_unknown_one_are_wrong_usage() {
        assertThat(Command.run(environment).exitCode()).isEqualTo(WRONG_USAGE);
        assertThat(answerTo("migarte").exitCode()).isEqualTo(WRONG_USAGE);
        assertThat(answerTo("migarte").err()).contains("migrate");
    }

    @ParameterizedTest
    @ValueSource(strings = {"migrate", "run", "drain", "status"})
    void an_unknown_setting_stops_every_command(String command) {
        assertRefused(
                answerTo(command, "STAGED_JOBS_DATABASE_URI", "x"),
                WRONG_USAGE,
                "unknown setting STAGED_JOBS_DATABASE_URI",
                "STAGED_JOBS_DATABASE_URL");
    }

    @Test
    void an_unknown_flag_is_answered_with_the_known_ones() {
        Answer answer = Command.run(environment, "run", "--admin-prot", "1");
        assertRefused(answer, WRONG_USAGE, "--admin-prot", "--admin-port");
    }

    @Test
    void a_bad_port_is_wrong_usage() {
        assertRefused(
                answerTo("run", "STAGED_JOBS_ADMIN_PORT", "80x"),
                WRONG_USAGE,
                "expected a whole number",
                "got \"80x\"");
    }

    @Test
    void a_port_that_is_taken_is_told_and_nothing_was_started() throws Exception {
        try (ServerSocket taken = new ServerSocket(0)) {
            assertRefused(
                    answerTo("run", "STAGED_JOBS_ADMIN_PORT", String.valueOf(taken.getLocalPort())),
                    COULD_NOT,
                    "could not listen on 127.0.0.1:" + taken.getLocalPort(),
                    "Nothing was started");
        }
        assertThat(outbox.dsl().fetch("SELECT * FROM staged_job_enqueuers")).isEmpty();
    }

    @Test
    void an_address_that_others_can_reach_needs_a_token() {
        assertRefused(
                answerTo("run", "STAGED_JOBS_ADMIN_HOST", "0.0.0.0"),
                WRONG_USAGE,
                "no admin.token",
                "STAGED_JOBS_ADMIN_TOKEN");
    }

    @ParameterizedTest
    @ValueSource(strings = {"migrate", "run", "drain", "status"})
    void an_unreachable_database_is_told(String command) {
        assertRefused(
                answerTo(command, "STAGED_JOBS_DATABASE_URL", "jdbc:postgresql://127.0.0.1:1/nowhere"),
                COULD_NOT,
                "could not connect to jdbc:postgresql://127.0.0.1:1/nowhere",
                "08001",
                "Nothing was changed",
                "Check STAGED_JOBS_DATABASE_URL");
    }

    @ParameterizedTest
    @ValueSource(strings = {"migrate", "run", "drain", "status"})
    void a_wrong_password_is_told_and_not_shown(String command) {
        assertRefused(
                answerTo(command, "STAGED_JOBS_DATABASE_PASSWORD", "canary-secret"),
                COULD_NOT,
                "28P01",
                "Check STAGED_JOBS_DATABASE_USERNAME and STAGED_JOBS_DATABASE_PASSWORD");
        assertThat(answerTo(command, "STAGED_JOBS_DATABASE_PASSWORD", "canary-secret")
                        .err())
                .doesNotContain("canary-secret");
    }

    @Test
    void a_password_in_the_url_is_masked() {
        Answer answer = answerTo(
                "status",
                "STAGED_JOBS_DATABASE_URL",
                "jdbc:postgresql://127.0.0.1:1/nowhere?password=canary&ssl=false");
        assertThat(answer.err()).contains("password=***&ssl=false").doesNotContain("canary");
    }

    @Test
    void a_database_that_does_not_exist_is_told() {
        assertRefused(
                answerTo(
                        "run",
                        "STAGED_JOBS_DATABASE_URL",
                        outbox.database.url().replace(outbox.database.name(), "no_such_database")),
                COULD_NOT,
                "no_such_database",
                "3D000",
                "Check the database's name");
    }

    @Test
    void an_unreachable_broker_is_told() {
        assertRefused(
                answerTo(
                        "run",
                        "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS",
                        "127.0.0.1:1",
                        "STAGED_JOBS_PUBLISH_TIMEOUT",
                        "1s"),
                COULD_NOT,
                "could not reach Kafka at 127.0.0.1:1",
                "Nothing was changed",
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS");
    }

    @Test
    void a_broker_address_that_is_none_is_told() {
        assertRefused(
                answerTo("run", "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS", "nonsense"),
                WRONG_USAGE,
                "nonsense",
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS");
    }

    @Test
    void a_wrong_kafka_property_is_told_without_its_value() {
        Command.Answer answer = answerTo("run", "STAGED_JOBS_KAFKA_LINGER_MS", "hunter2");
        assertRefused(answer, WRONG_USAGE, "STAGED_JOBS_KAFKA_LINGER_MS is wrong: expected a value of type long");
        assertThat(answer.err()).doesNotContain("hunter2");
    }

    @ParameterizedTest
    @ValueSource(strings = {"run", "drain", "status"})
    void missing_tables_are_told(String command) {
        TestDatabase empty = TestPostgres.shared().newDatabase("empty");
        assertRefused(
                answerTo(command, "STAGED_JOBS_DATABASE_URL", empty.url()),
                COULD_NOT,
                "cannot find the tables of Staged Jobs in schema \"public\"",
                "staged-jobs migrate");
    }

    @ParameterizedTest
    @ValueSource(strings = {"migrate", "run", "drain", "status"})
    void a_schema_of_a_newer_release_is_left_alone(String command) {
        outbox.dsl().execute("INSERT INTO staged_jobs_schema (version) VALUES (999)");
        assertRefused(answerTo(command), COULD_NOT, "schema version 999", "Run a newer release");
    }

    @ParameterizedTest
    @ValueSource(strings = {"migrate", "run", "drain", "status", "pause", "parked list"})
    void a_name_that_no_schema_can_have_is_wrong_usage(String command) {
        Answer answer = Command.run(
                Command.with(environment, "STAGED_JOBS_DATABASE_SCHEMA", "s".repeat(64)), command.split(" "));
        assertRefused(answer, WRONG_USAGE, "STAGED_JOBS_DATABASE_SCHEMA", "a schema name of 1 to 63 bytes");
    }

    @Test
    void a_source_that_no_header_should_have_is_wrong_usage() {
        assertRefused(
                answerTo("run", "STAGED_JOBS_SOURCE", "/jobs\r\nx: y"),
                WRONG_USAGE,
                "STAGED_JOBS_SOURCE",
                "expected a URI reference");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "status --jsn",
                "status nonsense",
                "run --batch-size",
                "drain --give-up-after soon",
                "migrate --lanes 0",
                "migrate --lanes many",
                "migrate --payload-max 0",
                "migrate --change-delivery sometimes",
                "parked",
                "parked lst",
                "parked list --limit 0",
                "parked list --state lost",
                "parked list --key k",
                "parked show",
                "parked requeue",
                "parked requeue --all --yes --dry-run",
                "parked discard one",
                "pause --topic no/topic"
            })
    void wrong_arguments_are_answered_with_one_line_and_no_connection(String command) {
        Answer answer = Command.run(
                Command.with(environment, "STAGED_JOBS_DATABASE_URL", "jdbc:postgresql://127.0.0.1:1/nowhere"),
                command.split(" "));
        assertRefused(answer, WRONG_USAGE, "Nothing was done", "--help`");
        assertThat(answer.err().lines()).hasSize(1);
    }

    @Test
    void a_value_may_look_like_an_option() {
        Answer answer = Command.run(environment, "parked", "list", "--topic=--help", "--key=--json");
        assertThat(answer.err()).isEmpty();
        assertThat(answer.out()).isEqualToNormalizingNewlines("nothing is moved aside\n");
        assertThat(Command.run(environment, "pause", "--topic=--help").out()).contains("paused topic --help");
    }

    @Test
    void names_with_escapes_reach_no_terminal() throws Exception {
        String escape = "\u001b[2J";
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_job_enqueuers (enqueuer, name, delivery) VALUES (gen_random_uuid(), ?,"
                                + " 'x')",
                        "name" + escape + "\n");
        Answer status = answerTo("status");
        assertThat(status.out()).contains("name\\u001b[2J\\u000a").doesNotContain(escape);
        Answer missing = answerTo("status", "STAGED_JOBS_DATABASE_SCHEMA", "no\n" + escape);
        assertThat(missing.err()).contains("no\\u000a\\u001b[2J").doesNotContain(escape);
        assertThat(missing.err().lines()).hasSize(1);
    }

    @Test
    void a_payload_limit_out_of_bounds_is_wrong_usage() {
        assertRefused(
                Command.run(environment, "migrate", "--payload-max", "0"), WRONG_USAGE, "--payload-max", "100000000");
        assertRefused(Command.run(environment, "migrate", "--payload-max", "x"), WRONG_USAGE, "--payload-max");
    }

    @Test
    void a_role_that_may_not_create_tables_is_told() throws Exception {
        TestDatabase empty = TestPostgres.shared().newDatabase("norights");
        String role = "norights_" + java.util.UUID.randomUUID().toString().replace("-", "");
        outbox.dsl().execute("CREATE ROLE " + role + " LOGIN PASSWORD 'secret'");
        try {
            assertRefused(
                    answerTo(
                            "migrate",
                            "STAGED_JOBS_DATABASE_URL",
                            empty.url(),
                            "STAGED_JOBS_DATABASE_USERNAME",
                            role,
                            "STAGED_JOBS_DATABASE_PASSWORD",
                            "secret"),
                    COULD_NOT,
                    "permission denied",
                    "Nothing was changed. To install the tables, let a superuser grant this role",
                    "GRANT USAGE, CREATE ON SCHEMA <schema> TO <role>");
        } finally {
            outbox.dsl().execute("DROP ROLE " + role);
        }
    }

    @Test
    void drain_names_them_too_when_another_enqueuer_owns_their_lanes() throws Exception {
        new Command.Daemon(outbox, "owner", Command.environment(outbox));
        Eventually.until(
                "the daemon owns all lanes",
                () -> outbox.dsl()
                                .fetchSingle("SELECT count(owner) FROM staged_job_lanes")
                                .get(0, long.class)
                        == 8);
        assertRefused(
                answerTo("drain"),
                COULD_NOT,
                "1 job of topic some.topic held: topic missing: the topic does not exist; create it");
    }

    @Test
    void drain_names_the_jobs_of_a_topic_that_does_not_exist_and_publishes_the_others() {
        String topic = outbox.kafka.newTopic("drain");
        outbox.stage(topic, "k", "flows");
        Answer answer = answerTo("drain");
        assertRefused(
                answer,
                COULD_NOT,
                "1 job of topic some.topic held: topic missing: the topic does not exist; create it",
                "nothing is lost");
        assertThat(answer.out()).isEqualToNormalizingNewlines("published 1 job\n");
        assertThat(outbox.namesIn(topic)).containsExactly("flows");
    }
}
