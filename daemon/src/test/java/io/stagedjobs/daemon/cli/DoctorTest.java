package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.assembly.DoctorAssembly;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.diagnosis.Thresholds;
import io.stagedjobs.enqueuer.kafka.KafkaProperties;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Each row of the table in docs/operations.md is provoked by the test that has its name. */
class DoctorTest {

    private static final Path DOCUMENT = Path.of("../docs/operations.md");
    private static final Pattern ROW = Pattern.compile("(?m)^\\| ([a-z][^|]*) \\| ([^|]*) \\| ([^|]*) \\|$");
    private static final Pattern WORDS = Pattern.compile("`([^`]+)`");
    private static final int JOBS = 100;

    /** Tells at once what it would else tell after minutes. */
    private static final Thresholds EAGER = new Thresholds(Duration.ZERO, Duration.ZERO, 1, Duration.ofSeconds(2));

    private static TestPostgres postgres;

    private TestOutbox outbox;
    private String topic;
    private Map<String, String> environment;

    @BeforeAll
    static void start() {
        postgres = TestPostgres.startEmbedded(Map.of(
                "max_prepared_transactions", "5",
                "hot_standby_feedback", "on", // this and the next two count in a standby only
                "wal_receiver_status_interval", "1",
                "primary_slot_name", "reporting"));
    }

    @AfterAll
    static void stop() {
        postgres.close();
    }

    @BeforeEach
    void open() {
        open(TestKafka.shared());
    }

    private void open(TestKafka kafka) {
        outbox = new TestOutbox(postgres, kafka, "doctor");
        topic = kafka.newTopic("doctor", 2);
        environment = Command.environment(outbox);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private EnqueuerAssembly enqueuer() {
        EnqueuerAssembly enqueuer = new EnqueuerAssembly(
                Settings.read(Map.of(), environment, KafkaProperties.PASSTHROUGH),
                new Health(),
                new SimpleMeterRegistry());
        enqueuer.start();
        return outbox.keep(enqueuer);
    }

    private void stage(int jobs) {
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, 'k' || n, 'n', '{}' FROM generate_series(1, ?) AS n",
                        topic,
                        jobs);
    }

    private void execute(Connection connection, String sql) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** The sentence of {@code staged-jobs doctor}. */
    private String doctor() {
        Command.Answer answer = Command.run(environment, "doctor");
        return answer.out().lines().findFirst().orElse(answer.err());
    }

    private String eagerDoctor() {
        return DoctorAssembly.doctor(Settings.read(Map.of(), environment, KafkaProperties.PASSTHROUGH), EAGER)
                .examine()
                .why();
    }

    /** Waits until the sentence has all words that the document gives for what happened. */
    private static void assertTold(String symptom, Callable<String> doctor) throws Exception {
        List<MatchResult> rows =
                rows().stream().filter(row -> row.group(1).equals(symptom)).toList();
        assertThat(rows).as("rows of \"" + symptom + "\"").hasSize(1);
        List<String> words = WORDS.matcher(rows.get(0).group(2) + rows.get(0).group(3))
                .results()
                .map(word -> word.group(1))
                .toList();
        assertThat(words).hasSizeGreaterThanOrEqualTo(2);
        String[] last = new String[1];
        try {
            Eventually.until("the sentence has " + words, () -> {
                last[0] = doctor.call();
                return words.stream().allMatch(last[0]::contains);
            });
        } catch (AssertionError inVain) {
            throw new AssertionError(inVain.getMessage() + "; it says: " + last[0], inVain);
        }
    }

    private static List<MatchResult> rows() throws IOException {
        String document = Files.readString(DOCUMENT);
        int begin = document.indexOf("### Why is nothing moving?");
        assertThat(begin).isPositive();
        return ROW.matcher(document.substring(begin, document.indexOf("\n### ", begin + 1)))
                .results()
                .toList();
    }

    @Test
    void every_row_of_the_document_has_a_test_of_its_name() throws Exception {
        List<String> tests = Arrays.stream(DoctorTest.class.getDeclaredMethods())
                .filter(method -> method.isAnnotationPresent(Test.class))
                .map(method -> method.getName())
                .toList();
        assertThat(rows()).hasSizeGreaterThan(10).allSatisfy(row -> assertThat(
                        row.group(1).replace("'", "").replace(' ', '_'))
                .isIn(tests));
    }

    @Test
    void nothing_is_wrong() throws Exception {
        environment = Command.with(environment, "STAGED_JOBS_DELIVERY", "exactly-once");
        enqueuer();
        stage(JOBS);
        Command.awaitDrained(outbox);
        Command.Answer answer = Command.run(environment, "doctor", "--json");
        JsonNode json = new JsonMapper().readTree(answer.out());
        assertThat(answer.exitCode()).as(answer.out()).isZero();
        assertThat(json.get("why").asText()).isEqualTo("Nothing waits.");
        assertThat(json.get("wrong").asBoolean()).isFalse();
        assertThat(json.get("findings").findValuesAsText("check"))
                .contains(
                        "privileges",
                        "schema version",
                        "defaults of transactions",
                        "time-outs of PostgreSQL",
                        "pooler",
                        "triggers, rules, policies and indexes",
                        "ids",
                        "vacuum",
                        "old snapshots",
                        "open writers",
                        "table locks",
                        "delivery mode",
                        "Kafka",
                        "transactions",
                        "time-outs of Kafka",
                        "transactional ids",
                        "progress topic",
                        "topics of jobs",
                        "clocks");
        assertThat(json.get("findings").findValuesAsText("verdict"))
                .as(answer.out())
                .containsOnly("ok");
        assertThat(answer.out()).contains("that of Kafka's controller");
    }

    @Test
    void kafka_is_down() throws Exception {
        outbox.close();
        try (TestKafka kafka = TestKafka.startEmbedded()) {
            open(kafka);
            enqueuer();
            kafka.kill();
            stage(JOBS);
            Eventually.until(
                    "an enqueuer says so itself",
                    () -> Command.run(environment, "status").out().contains("kafka: "));
            assertTold("kafka is down", this::doctor);
            assertThat(doctor()).contains("for an enqueuer since");
            outbox.close();
        }
        open(TestKafka.shared());
    }

    @Test
    void postgresql_is_down() throws Exception {
        postgres.stopImmediately();
        try {
            assertTold("postgresql is down", this::doctor);
            assertThat(Command.run(environment, "doctor").exitCode()).isEqualTo(1);
            assertThat(Command.run(environment, "doctor").out())
                    .as("what was found out all the same")
                    .contains("broker(s) answer");
        } finally {
            postgres.startAgain();
        }
    }

    @Test
    void the_password_was_changed() throws Exception {
        environment = Command.with(environment, "STAGED_JOBS_DATABASE_PASSWORD", "of-yesterday");
        assertTold("the password was changed", this::doctor);
    }

    @Test
    void the_tables_are_missing() throws Exception {
        environment = Command.with(environment, "STAGED_JOBS_DATABASE_SCHEMA", "elsewhere");
        assertTold("the tables are missing", this::doctor);
    }

    @Test
    void a_topic_is_missing() throws Exception {
        enqueuer();
        topic = topic + "-missing";
        stage(JOBS);
        assertTold("a topic is missing", this::doctor);
        assertThat(doctor()).contains(topic);
    }

    @Test
    void a_job_is_too_large_for_its_topic() throws Exception {
        topic = topic + "-small";
        outbox.kafka.createTopic(topic, 1, Map.of("max.message.bytes", "2000"));
        enqueuer();
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, 'k', 'n', ?)",
                        topic,
                        incompressible(5_000));
        assertTold("a job is too large for its topic", this::doctor);
    }

    private static byte[] incompressible(int bytes) {
        byte[] payload = new byte[bytes];
        new Random(1).nextBytes(payload);
        return payload;
    }

    @Test
    void parked_jobs_wait() throws Exception {
        enqueuer();
        outbox.dsl()
                .execute(
                        "INSERT INTO parked_jobs (lane, id, job_id, topic, job_name, staged_at, state, reason) VALUES"
                                + " (0, 1, gen_random_uuid(), ?, 'n', now(), 'parked', 'refused')",
                        topic);
        assertTold("parked jobs wait", this::doctor);
        assertThat(Command.run(environment, "doctor").exitCode()).isEqualTo(1);
    }

    private void publishSome() throws Exception {
        stage(JOBS);
        Command.awaitDrained(outbox);
    }

    @Test
    void an_old_snapshot_is_kept() throws Exception {
        enqueuer();
        try (Connection report = outbox.transaction()) {
            report.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            execute(report, "SELECT 1 FROM staged_job_lanes");
            publishSome();
            assertTold("an old snapshot is kept", this::eagerDoctor);
        }
    }

    @Test
    void a_prepared_transaction_was_forgotten() throws Exception {
        enqueuer();
        try (Connection manager = outbox.database.connect()) {
            execute(manager, "BEGIN; CREATE TABLE business (id int); PREPARE TRANSACTION 'forgotten'");
            publishSome();
            assertTold("a prepared transaction was forgotten", this::eagerDoctor);
            execute(manager, "ROLLBACK PREPARED 'forgotten'");
        }
    }

    /** A report ran on a standby that nobody has started again. */
    @Test
    void a_replication_slot_is_stale() throws Exception {
        outbox.dsl().fetch("SELECT pg_create_physical_replication_slot('reporting')");
        postgres.stop();
        Path copy = postgres.copyData();
        postgres.startAgain();
        try (TestPostgres standby = postgres.startStandby(copy);
                Connection report = standby.database(outbox.database.name()).connect()) {
            report.setAutoCommit(false);
            report.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            execute(report, "SELECT 1 FROM staged_job_lanes");
            Eventually.until("the standby told its snapshot", () -> outbox.dsl()
                    .fetchSingle("SELECT xmin IS NOT NULL FROM pg_replication_slots")
                    .get(0, boolean.class));
            standby.process().kill();
        }
        enqueuer();
        publishSome();
        assertTold("a replication slot is stale", this::eagerDoctor);
        outbox.dsl().fetch("SELECT pg_drop_replication_slot('reporting')");
    }

    @Test
    void a_lane_is_halted_after_a_restore() throws Exception {
        environment = Command.with(environment, "STAGED_JOBS_DELIVERY", "exactly-once");
        publishSomeWithAnEnqueuer();
        postgres.stop();
        Path backup = postgres.copyData();
        postgres.startAgain();
        for (int batch = 0; batch < 3; batch++) { // one more than the database knows of would be a crash's
            publishSomeWithAnEnqueuer();
        }
        postgres.stop();
        postgres.putBack(backup);
        postgres.startAgain();
        enqueuer();
        assertTold("a lane is halted after a restore", this::doctor);
        assertThat(Command.run(environment, "status").out()).contains("lane 0 is halted: Kafka holds batch");
        JsonNode status = new JsonMapper()
                .readTree(Command.run(environment, "status", "--json").out());
        assertThat(status.get("lanes").get(0).get("halted").get("reason").asText())
                .startsWith("Kafka holds batch");
        assertThat(status.get("enqueuers").get(0).get("problems")).isNotEmpty();
    }

    private void publishSomeWithAnEnqueuer() throws Exception {
        EnqueuerAssembly enqueuer = enqueuer();
        publishSome();
        enqueuer.close();
    }

    @Test
    void an_enqueuer_was_killed() throws Exception {
        Command.Daemon daemon = new Command.Daemon(outbox, "killed", environment);
        Eventually.until("it lives", daemon::isReady);
        daemon.process.kill();
        stage(1);
        assertTold("an enqueuer was killed", this::doctor);
    }

    @Test
    void the_password_was_changed_under_an_enqueuer() throws Exception {
        outbox.dsl().execute("CREATE ROLE enqueuers LOGIN SUPERUSER PASSWORD 'of-yesterday'");
        Map<String, String> today = Command.with(
                environment, "STAGED_JOBS_DATABASE_USERNAME", "enqueuers", "STAGED_JOBS_DATABASE_PASSWORD", "of-today");
        Command.Daemon daemon = new Command.Daemon(
                outbox, "of-yesterday", Command.with(today, "STAGED_JOBS_DATABASE_PASSWORD", "of-yesterday"));
        Eventually.until("it lives", daemon::isReady);
        outbox.dsl().execute("ALTER ROLE enqueuers PASSWORD 'of-today'");
        outbox.dsl().fetch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'enqueuers'");
        stage(1);
        environment = today;
        assertTold("the password was changed under an enqueuer", this::doctor);
        Eventually.until(
                "it says why itself",
                () -> daemon.get("health/ready").body().contains("password authentication failed"));
    }

    @Test
    void everything_is_paused() throws Exception {
        assertThat(Command.run(environment, "pause").exitCode()).isZero();
        enqueuer(); // hears of the pause with its first heartbeat; a running one would with its next
        stage(1);
        assertTold("everything is paused", this::doctor);
        assertThat(Command.run(environment, "doctor").exitCode())
                .as("somebody wanted it so")
                .isZero();
    }

    @Test
    void a_topic_is_paused() throws Exception {
        assertThat(Command.run(environment, "pause", "--topic", topic).exitCode())
                .isZero();
        enqueuer();
        stage(JOBS);
        assertTold("a topic is paused", this::doctor);
    }

    @Test
    void an_applications_transaction_is_open_for_long() throws Exception {
        enqueuer();
        try (Connection application = outbox.transaction()) {
            application.setClientInfo("ApplicationName", "shop");
            TestOutbox.stage(application, topic, "k", "n");
            assertTold("an application's transaction is open for long", this::eagerDoctor);
            assertThat(eagerDoctor()).contains("application shop, idle in transaction");
        }
    }

    @Test
    void the_table_is_locked() throws Exception {
        enqueuer();
        stage(1);
        try (Connection operator = outbox.transaction()) {
            execute(operator, "LOCK TABLE staged_jobs");
            assertTold("the table is locked", this::doctor);
        }
    }

    @Test
    void a_trigger_of_others_and_a_sequence_with_a_cache_are_found_and_the_sql_of_the_fix_ends_that() throws Exception {
        enqueuer();
        outbox.dsl().execute("CREATE RULE keep AS ON DELETE TO staged_jobs DO INSTEAD NOTHING");
        outbox.dsl().execute("CREATE INDEX extra ON staged_jobs (topic)");
        outbox.dsl().execute("ALTER TABLE staged_jobs ALTER COLUMN id SET CACHE 20");
        List<String> fixes = fixes("As the owner of the tables: ");
        assertThat(fixes).hasSize(2);
        for (String fix : fixes) {
            for (String statement : fix.split("(?<=;) ")) {
                outbox.dsl().execute(statement);
            }
        }
        assertThat(fixes("As the owner of the tables: ")).isEmpty();
        assertThat(Command.run(environment, "doctor").exitCode()).isZero();
    }

    @Test
    void what_a_role_lacks_is_named_with_its_grants_and_hides_no_other_check() throws Exception {
        outbox.dsl().execute("CREATE ROLE of_little LOGIN PASSWORD 'p'");
        outbox.dsl().execute("GRANT SELECT ON staged_jobs, staged_jobs_schema TO of_little");
        outbox.dsl().execute("GRANT UPDATE ON staged_job_lanes TO of_little");
        Map<String, String> owner = environment;
        environment =
                Command.with(owner, "STAGED_JOBS_DATABASE_USERNAME", "of_little", "STAGED_JOBS_DATABASE_PASSWORD", "p");
        Command.Answer answer = Command.run(environment, "doctor");
        assertThat(answer.exitCode()).isEqualTo(1);
        assertThat(answer.out())
                .contains(
                        "could not look  lanes and enqueuers", "ok              schema version", "ok              ids");
        for (String fix : fixes("As the owner of the tables: ")) {
            for (String statement : fix.split("(?<=;) ")) {
                outbox.dsl().execute(statement);
            }
        }
        assertThat(Command.run(environment, "doctor").out())
                .contains("ok              privileges")
                .contains("no enqueuer lives");
    }

    /** What stands behind these words, of all findings. */
    private List<String> fixes(String begin) throws Exception {
        return new JsonMapper()
                        .readTree(Command.run(environment, "doctor", "--json").out())
                        .get("findings")
                        .findValuesAsText("fix")
                        .stream()
                        .filter(fix -> fix.startsWith(begin))
                        .map(fix -> fix.substring(begin.length()))
                        .toList();
    }
}
