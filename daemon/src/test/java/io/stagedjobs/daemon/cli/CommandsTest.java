package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stagedjobs.daemon.cli.Command.Answer;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The commands when all is well. */
class CommandsTest {

    private TestOutbox outbox;
    private Map<String, String> environment;
    private String topic;

    @BeforeEach
    void open() {
        outbox = new TestOutbox("commands");
        environment = Command.environment(outbox);
        topic = outbox.kafka.newTopic("commands");
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    @Test
    void migrate_inbox_installs_the_tables_of_consumers_alone() throws Exception {
        TestDatabase empty = TestPostgres.shared().newDatabase("inbox");
        Map<String, String> there = Command.with(
                environment,
                "STAGED_JOBS_DATABASE_URL",
                empty.url(),
                "STAGED_JOBS_DATABASE_USERNAME",
                empty.username(),
                "STAGED_JOBS_DATABASE_PASSWORD",
                empty.password());
        assertThat(Command.run(there, "migrate", "--inbox").out()).contains("the inbox in schema \"public\" is at");
        assertThat(Command.run(there, "migrate", "--inbox").out()).contains("already, nothing to do");
        assertThat(Command.run(there, "migrate", "--inbox", "--lanes", "2").err())
                .contains("--inbox stands alone");
        try (Connection connection = empty.connect()) {
            assertThat(Schema.PUBLIC.version(connection)).isZero();
        }
    }

    @Test
    void migrate_installs_once_and_then_has_nothing_to_do() {
        TestDatabase empty = TestPostgres.shared().newDatabase("migrate");
        Map<String, String> there = Command.with(
                environment, "STAGED_JOBS_DATABASE_URL", empty.url(), "STAGED_JOBS_DATABASE_SCHEMA", "jobs");
        assertThat(Command.run(there, "migrate"))
                .isEqualTo(new Answer(0, "schema \"jobs\" is at version 4 now, 4 migration(s) applied" + nl(), ""));
        assertThat(Command.run(there, "migrate"))
                .isEqualTo(new Answer(0, "schema \"jobs\" is at version 4 already, nothing to do" + nl(), ""));
        assertThat(Command.run(there, "migrate", "--payload-max", "2000000").out())
                .contains("payloads may have up to 2000000 bytes", "max.message.bytes");
    }

    private static String nl() {
        return System.lineSeparator();
    }

    @Test
    void drain_publishes_what_was_committed_before_and_says_how_much() {
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name)"
                                + " SELECT ?, i::text, 'n' FROM generate_series(1, 12345) AS i",
                        topic);
        assertThat(Command.run(environment, "drain")).isEqualTo(new Answer(0, "published 12345 jobs" + nl(), ""));
        assertThat(outbox.waiting()).isZero();
        assertThat(outbox.read(topic)).hasSize(12345);
        assertThat(Command.run(environment, "drain")).isEqualTo(new Answer(0, "published 0 jobs" + nl(), ""));
        assertThat(outbox.dsl().fetch("SELECT * FROM staged_job_enqueuers")).isEmpty();
    }

    @Test
    void drain_does_not_wait_for_transactions_that_are_still_open() throws Exception {
        try (Connection open = outbox.transaction()) {
            TestOutbox.stage(open, topic, "k", "open");
            outbox.stage(topic, "k", "committed");
            assertThat(Command.run(environment, "drain").exitCode()).isZero();
            assertThat(outbox.namesIn(topic)).containsExactly("committed");
        }
    }

    @Test
    void status_shows_what_waits_as_a_table_and_as_json() throws Exception {
        outbox.stage(topic, "k", "one");
        outbox.stage(topic, "k", "two");
        Answer table = Command.run(environment, "status");
        assertThat(table.exitCode()).isZero();
        assertThat(table.out()).contains("2 jobs waiting", topic, "(free)", "no enqueuer runs");

        JsonNode json = new ObjectMapper()
                .readTree(Command.run(environment, "status", "--json").out());
        assertThat(json.get("backlog").asInt()).isEqualTo(2);
        assertThat(json.get("schemaVersion").asInt()).isEqualTo(4);
        assertThat(json.get("topics").get(0).get("topic").asText()).isEqualTo(topic);
        assertThat(json.get("lanes")).hasSize(8);
        assertThat(json.get("lanes")
                        .get(outbox.laneOf(topic, "k"))
                        .get("backlog")
                        .asInt())
                .isEqualTo(2);
        assertThat(json.get("oldestAgeSeconds").asDouble()).isPositive();
        assertThat(json.get("enqueuers")).isEmpty();
    }

    @Test
    void help_is_a_command_too() {
        assertThat(Command.run(Map.of(), "help")).satisfies(help -> {
            assertThat(help.exitCode()).isZero();
            assertThat(help.out()).contains("Usage: staged-jobs", "migrate", "drain");
        });
        assertThat(Command.run(Map.of(), "help", "run").out()).contains("Usage: staged-jobs run", "--database-url");
    }

    @Test
    void what_comes_from_elsewhere_plays_no_tricks_with_the_terminal() {
        Map<String, String> odd = Command.with(environment, "STAGED_JOBS_DATABASE_SCHEMA", "\u001b[31mred\nline\u202e");
        for (String command : new String[] {"migrate", "status", "parked list", "pause", "resume", "drain"}) {
            Answer answer = Command.run(odd, command.split(" "));
            assertThat(answer.out() + answer.err()).as(command).doesNotContain("\u001b", "\u202e");
        }
        assertThat(Command.run(odd, "migrate").out())
                .isEqualTo("schema \"\\u001b[31mred\\u000aline\\u202e\" is at version 4 already, nothing to do" + nl());
        outbox.dsl()
                .execute("INSERT INTO staged_job_enqueuers (enqueuer, name, delivery) VALUES"
                        + " (gen_random_uuid(), E'evil \\x1b[31m\\nname', 'at-least-once')");
        assertThat(Command.run(environment, "status").out()).contains("evil \\u001b[31m\\u000aname");
    }

    @Test
    void of_thousands_of_topics_the_largest_few_are_told_and_a_count() throws Exception {
        outbox.dsl()
                .execute("INSERT INTO staged_jobs (topic, job_name)"
                        + " SELECT 'missing.' || lpad(i::text, 4, '0'), 'n' FROM generate_series(1, 3000) AS i,"
                        + " generate_series(1, CASE i WHEN 777 THEN 2 ELSE 1 END)");
        outbox.dsl()
                .execute("WITH gone AS (DELETE FROM staged_jobs WHERE topic > 'missing.1500' RETURNING *)"
                        + " INSERT INTO parked_jobs (lane, id, job_id, topic, job_name, staged_at, state, reason)"
                        + " SELECT lane, id, job_id, topic, job_name, staged_at, 'held', 'topic missing' FROM gone");
        Answer status = Command.run(environment, "status");
        assertThat(status.out().lines().filter(line -> line.contains("missing.")))
                .hasSize(40);
        assertThat(status.out())
                .contains("2  missing.0777", "1480 more topics with waiting jobs", "1480 more groups of jobs")
                .contains("status --json");
        assertThat(new ObjectMapper()
                        .readTree(Command.run(environment, "status", "--json").out())
                        .get("topics"))
                .hasSize(1500);
    }

    @Test
    void jobs_with_times_that_no_clock_has_told_blind_nobody() throws Exception {
        for (String time : new String[] {
            "infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "20000-01-01 00:00:00+00", "0001-01-01 00:00:00+00"
        }) {
            outbox.stageUnchecked("topic, job_name, staged_at", topic, "waits", DSL.field("?::timestamptz", time));
        }
        outbox.dsl()
                .execute("INSERT INTO parked_jobs (lane, id, job_id, topic, job_name, staged_at, state, reason)"
                        + " SELECT lane, id - 100, gen_random_uuid(), topic, job_name, staged_at, 'parked', 'too large'"
                        + " FROM staged_jobs");
        assertThat(Command.run(environment, "status").out()).contains("5 jobs waiting");
        for (String command : new String[] {"status --json", "parked list", "parked list --json"}) {
            assertThat(Command.run(environment, command.split(" ")).exitCode()).isZero();
        }
        assertThat(Command.run(environment, "drain").out()).contains("published 5 jobs");
        assertThat(outbox.read(topic))
                .extracting(record -> TestOutbox.header(record, "ce_time"))
                .containsExactlyInAnyOrder(
                        "9999-12-31T23:59:59.999999Z",
                        "0001-01-01T00:00:00Z",
                        "0001-01-01T00:00:00Z",
                        "9999-12-31T23:59:59.999999Z",
                        "0001-01-01T00:00:00Z");
    }

    @Test
    void an_enqueuer_does_not_start_where_something_may_keep_rows_from_being_deleted() {
        outbox.stage(topic, "k", "job");
        outbox.dsl().execute("CREATE RULE keep AS ON DELETE TO staged_jobs DO INSTEAD NOTHING");
        Command.assertStartRefused(environment, "rule keep on staged_jobs", "published again and again");
        assertThat(outbox.read(topic)).isEmpty();
    }

    @Test
    void the_grants_of_the_manual_are_enough_for_an_enqueuer_and_an_observer() throws Exception {
        String enqueuer = granted("enqueuer");
        String observer = granted("observer");
        try {
            outbox.stage(topic, "k", "job");
            Map<String, String> asObserver = Command.with(
                    environment, "STAGED_JOBS_DATABASE_USERNAME", observer, "STAGED_JOBS_DATABASE_PASSWORD", "secret");
            assertThat(Command.run(asObserver, "status").out()).contains("1 job waiting");
            assertThat(Command.run(asObserver, "lanes").out()).contains("(free)");
            try (Command.Running watch = new Command.Running(asObserver, Terminal.NONE, "status", "--watch", "200ms")) {
                watch.await("in 0.0 jobs/s, out 0.0 jobs/s");
            }
            assertThat(Command.run(asObserver, "drain").exitCode()).isEqualTo(1);
            Map<String, String> asEnqueuer = Command.with(
                    environment, "STAGED_JOBS_DATABASE_USERNAME", enqueuer, "STAGED_JOBS_DATABASE_PASSWORD", "secret");
            assertThat(Command.run(asEnqueuer, "drain")).isEqualTo(new Answer(0, "published 1 job" + nl(), ""));
            assertThat(Command.run(asEnqueuer, "status").exitCode()).isZero();
        } finally {
            for (String role : new String[] {enqueuer, observer}) {
                outbox.dsl().execute("DROP OWNED BY " + role);
                outbox.dsl().execute("DROP ROLE " + role);
            }
        }
    }

    private String granted(String kind) throws Exception {
        String role = kind + "_" + UUID.randomUUID().toString().replace("-", "");
        outbox.dsl().execute("CREATE ROLE " + role + " LOGIN PASSWORD 'secret'");
        Matcher block = Pattern.compile("```sql grants-" + kind + "\\n(.*?)```", Pattern.DOTALL)
                .matcher(Files.readString(Path.of("../docs/operations.md")));
        assertThat(block.find()).isTrue();
        for (String grant : block.group(1).replace(kind + "_role", role).split(";\\s*")) {
            outbox.dsl().execute(grant);
        }
        return role;
    }

    @Test
    void the_first_enqueuer_decides_the_mode_and_another_mode_is_refused_until_it_is_changed() throws Exception {
        outbox.stage(topic, "k", "first");
        Map<String, String> exactlyOnce = Command.with(environment, "STAGED_JOBS_DELIVERY", "exactly-once");
        Map<String, String> atLeastOnce = Command.with(environment, "STAGED_JOBS_DELIVERY", "at-least-once");
        assertThat(Command.run(exactlyOnce, "drain")).isEqualTo(new Answer(0, "published 1 job" + nl(), ""));

        Answer refused = Command.run(atLeastOnce, "drain");
        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.err())
                .contains(
                        "cannot work in delivery mode at-least-once",
                        "works in mode exactly-once",
                        "migrate --change-delivery at-least-once");

        outbox.dsl().execute("INSERT INTO staged_job_enqueuers VALUES (gen_random_uuid(), 'alive', 'exactly-once')");
        Answer running = Command.run(environment, "migrate", "--change-delivery", "at-least-once");
        assertThat(running.exitCode()).isEqualTo(1);
        assertThat(running.err()).contains("while enqueuers run", "Stop them all");
        outbox.dsl().execute("DELETE FROM staged_job_enqueuers");

        for (String mode : new String[] {"at-least-once", "exactly-once"}) {
            assertThat(Command.run(environment, "migrate", "--change-delivery", mode)
                            .exitCode())
                    .isZero();
            outbox.stage(topic, "k", "in." + mode);
            assertThat(Command.run(Command.with(environment, "STAGED_JOBS_DELIVERY", mode), "drain")
                            .exitCode())
                    .isZero();
        }
        assertThat(outbox.namesIn(topic)).containsExactly("first", "in.at-least-once", "in.exactly-once");
        assertThat(Command.run(environment, "migrate", "--change-delivery", "sometimes")
                        .exitCode())
                .isEqualTo(2);
    }

    @Test
    void exactly_once_is_refused_by_a_cluster_whose_transactions_are_too_old() throws Exception {
        try (TestKafka old = TestKafka.startEmbedded()) {
            old.admin()
                    .updateFeatures(
                            Map.of(
                                    "transaction.version",
                                    new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE)),
                            new UpdateFeaturesOptions())
                    .all()
                    .get(30, TimeUnit.SECONDS);
            Map<String, String> there = Command.with(
                    environment,
                    "STAGED_JOBS_DELIVERY",
                    "exactly-once",
                    "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS",
                    old.bootstrapServers());
            Answer answer = Command.run(there, "drain");
            assertThat(answer.exitCode()).isEqualTo(1);
            assertThat(answer.err())
                    .contains(
                            "its transaction.version is 1",
                            "transaction.version=2",
                            "STAGED_JOBS_DELIVERY=at-least-once");
            assertThat(Command.run(Command.with(there, "STAGED_JOBS_DELIVERY", "at-least-once"), "drain"))
                    .isEqualTo(new Answer(0, "published 0 jobs" + nl(), ""));
        }
    }

    @Test
    void help_and_version_are_answered() {
        assertThat(Command.run(environment, "run", "--help").out())
                .contains("--database-url", "STAGED_JOBS_DATABASE_URL", "--admin-port");
        assertThat(Command.run(environment, "--version").out()).startsWith("staged-jobs ");
    }
}
