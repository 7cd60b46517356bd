package io.stagedjobs.schema;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import io.stagedjobs.testkit.Tools;
import java.io.StringReader;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.PGConnection;

/** Jobs that come into the table by other ways than INSERT, and the table where it is copied. */
class CopiesTest {

    /** The lane of each row, against what its trigger would say with so many lanes. */
    private static final String IN_WRONG_LANES = "SELECT count(*) FROM staged_jobs WHERE lane <> (CASE"
            + " WHEN job_key IS NULL THEN id ELSE hashtextextended(job_key COLLATE \"C\", hashtextextended(topic"
            + " COLLATE \"C\", 0)) END & 9223372036854775807) % ";

    private static TestPostgres postgres;

    private TestDatabase database;
    private DSLContext dsl;

    @BeforeAll
    static void start() {
        postgres = TestPostgres.startEmbedded(Map.of("wal_level", "logical"));
    }

    @AfterAll
    static void stop() {
        postgres.close();
    }

    @BeforeEach
    void create() throws SQLException {
        database = postgres.newDatabase("copies");
        dsl = migrated(database);
        spread(dsl, 8);
    }

    private static DSLContext migrated(TestDatabase database) throws SQLException {
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.migrate(connection);
        }
        return DSL.using(database.dataSource(), SQLDialect.POSTGRES);
    }

    private static void spread(DSLContext dsl, int lanes) {
        new StagingTrigger(lanes, 900_000, 0).replace(dsl, Schema.PUBLIC);
    }

    private void stage(String prefix, int jobs) {
        dsl.execute(
                "INSERT INTO staged_jobs (topic, job_key, job_name, headers)"
                        + " SELECT 't', CASE WHEN n % 3 > 0 THEN 'é' || n END, ? || n, '{\"a\": \"b\"}'"
                        + " FROM generate_series(1, ?) AS n",
                prefix, jobs);
    }

    private static long count(DSLContext dsl) {
        return dsl.fetchCount(DSL.table("staged_jobs"));
    }

    @Test
    void rows_that_are_copied_in_get_their_lanes_and_keep_to_the_rules() throws Exception {
        try (Connection connection = database.connect()) {
            var copy = connection.unwrap(PGConnection.class).getCopyAPI();
            String into = "COPY staged_jobs (topic, job_key, job_name) FROM STDIN";
            assertThat(copy.copyIn(into, new StringReader("t\tk1\tn\nt\tk2\tn\nt\t\\N\tn\n")))
                    .isEqualTo(3);
            assertThatThrownBy(() -> copy.copyIn(into, new StringReader("t\tk1\tn\n..\tk2\tn\n")))
                    .hasMessageContaining("staged_jobs_topic_name");
        }
        assertThat(count(dsl)).isEqualTo(3);
        assertThat(dsl.fetchValue(IN_WRONG_LANES + 8)).isEqualTo(0L);
    }

    @Test
    void a_session_that_replicates_gives_jobs_their_lanes_too() {
        dsl.execute("SET session_replication_role = replica; INSERT INTO staged_jobs (lane, topic, job_key, job_name)"
                + " VALUES (77, 't', 'k', 'n')");
        assertThat(dsl.fetchValue(IN_WRONG_LANES + 8)).isEqualTo(0L);
    }

    @Test
    void a_publication_of_all_tables_lets_jobs_be_deleted() {
        stage("job ", 10);
        dsl.execute("CREATE PUBLICATION everything FOR ALL TABLES");
        assertThat(dsl.execute("DELETE FROM staged_jobs")).isEqualTo(10);
    }

    @Test
    void a_subscriber_gives_the_jobs_that_it_gets_lanes_of_its_own() throws Exception {
        TestDatabase subscriber = postgres.newDatabase("subscriber");
        DSLContext there = migrated(subscriber);
        spread(there, 3);
        dsl.execute("CREATE PUBLICATION jobs FOR TABLE staged_jobs");
        // On one server a subscription cannot make its own slot: that would wait for the transaction that creates it.
        dsl.fetch("SELECT pg_create_logical_replication_slot('jobs', 'pgoutput')");
        stage("before ", 20);
        there.execute("CREATE SUBSCRIPTION jobs CONNECTION 'host=" + database.host() + " port=" + database.port()
                + " dbname=" + database.name() + " user=" + database.username() + " password=" + database.password()
                + "' PUBLICATION jobs WITH (create_slot = false, slot_name = 'jobs')");
        try {
            Eventually.until("the table was copied", () -> count(there) == 20);
            stage("after ", 20);
            Eventually.until("later rows come too", () -> count(there) == 40);
            assertThat(there.fetchValue(IN_WRONG_LANES + 3)).isEqualTo(0L);
            assertThat(dsl.fetchValue(IN_WRONG_LANES + 8)).isEqualTo(0L);
        } finally {
            there.execute("DROP SUBSCRIPTION jobs");
        }
    }

    @Test
    void a_dump_that_is_restored_elsewhere_has_its_jobs_in_their_lanes_and_goes_on(@TempDir Path directory)
            throws SQLException {
        Path dump = directory.resolve("dump.sql");
        stage("before ", 20);
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.limitPayload(connection, 10, line -> {});
        }
        run(pgDump(), "--no-owner", "--file=" + dump, database.name());
        TestDatabase elsewhere = postgres.newDatabase("restored");
        run(Tools.require("psql"), "-q", "-X", "-v", "ON_ERROR_STOP=1", "-f", dump.toString(), elsewhere.name());

        DSLContext there = DSL.using(elsewhere.dataSource(), SQLDialect.POSTGRES);
        assertThat(there.fetch("SELECT lane, id, job_id FROM staged_jobs ORDER BY id"))
                .isEqualTo(dsl.fetch("SELECT lane, id, job_id FROM staged_jobs ORDER BY id"));
        assertThat(StagingTrigger.read(there, Schema.PUBLIC)).isEqualTo(StagingTrigger.read(dsl, Schema.PUBLIC));
        there.execute("INSERT INTO staged_jobs (topic, job_key, job_name) VALUES ('t', 'é1', 'after')");
        assertThat(there.fetchValue(IN_WRONG_LANES + 8)).isEqualTo(0L);
        assertThatThrownBy(() -> there.execute(
                        "INSERT INTO staged_jobs (topic, job_name, payload) VALUES ('t', 'n', 'longer than ten')"))
                .hasMessageContaining("staged_jobs_payload_size");
    }

    @Test
    void rows_alone_that_are_restored_into_a_table_with_other_lanes_get_those(@TempDir Path directory)
            throws SQLException {
        Path dump = directory.resolve("dump.sql");
        stage("before ", 20);
        run(pgDump(), "--data-only", "--table=staged_jobs", "--file=" + dump, database.name());
        TestDatabase elsewhere = postgres.newDatabase("rows");
        DSLContext there = migrated(elsewhere);
        spread(there, 3);
        run(Tools.require("psql"), "-q", "-X", "-v", "ON_ERROR_STOP=1", "-f", dump.toString(), elsewhere.name());
        assertThat(count(there)).isEqualTo(20);
        assertThat(there.fetchValue(IN_WRONG_LANES + 3)).isEqualTo(0L);
    }

    /** A pg_dump that is no older than the server: it refuses a newer one. */
    private Path pgDump() {
        Path program = Tools.require("pg_dump");
        Matcher version = Pattern.compile("\\) (\\d+)").matcher(run(program, "--version"));
        int server = dsl.fetchSingle("SELECT current_setting('server_version_num')::int / 10000")
                .into(int.class);
        if (!version.find() || Integer.parseInt(version.group(1)) < server) {
            throw Tools.unusable("pg_dump", "is older than the server, which is of version " + server);
        }
        return program;
    }

    private String run(Path program, String... args) {
        List<String> command = new ArrayList<>(List.of(program.toString()));
        command.addAll(List.of(args));
        Map<String, String> environment = Map.of(
                "PGHOST", database.host(),
                "PGPORT", "" + database.port(),
                "PGUSER", database.username(),
                "PGPASSWORD", database.password());
        try (ChildProcess child = ChildProcess.start(program.getFileName().toString(), command, environment)) {
            assertThat(child.awaitExit(Duration.ofSeconds(60)))
                    .as(String.join("\n", child.output()))
                    .isZero();
            return String.join("\n", child.output());
        }
    }
}
