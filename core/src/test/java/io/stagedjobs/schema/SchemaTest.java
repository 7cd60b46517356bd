package io.stagedjobs.schema;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.flywaydb.core.Flyway;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

class SchemaTest {

    private TestDatabase database;
    private DSLContext dsl;

    @BeforeEach
    void create() {
        database = TestPostgres.shared().newDatabase("schema");
        dsl = DSL.using(database.dataSource(), SQLDialect.POSTGRES);
    }

    private int migrate(Schema schema) throws SQLException {
        try (Connection connection = database.connect()) {
            return schema.migrate(connection);
        }
    }

    private void requireCurrent(Schema schema) throws SQLException {
        try (Connection connection = database.connect()) {
            schema.requireCurrent(connection);
        }
    }

    @Test
    void migrating_twice_changes_nothing_the_second_time() throws SQLException {
        assertThat(migrate(Schema.PUBLIC)).isEqualTo(Schema.versionKnown());
        assertThat(migrate(Schema.PUBLIC)).isZero();
        requireCurrent(Schema.PUBLIC);
    }

    @Test
    void eight_processes_may_migrate_at_once() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Future<Integer>> all = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                all.add(threads.submit(() -> migrate(Schema.named("at once"))));
            }
            int applied = 0;
            for (Future<Integer> each : all) {
                applied += each.get();
            }
            assertThat(applied).isEqualTo(Schema.versionKnown());
        } finally {
            threads.shutdownNow();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"jobs", "With Space", "quo\"te", "select", "Ünïcode"})
    void the_tables_live_in_the_schema_that_was_named_and_nowhere_else(String name) throws SQLException {
        Schema schema = Schema.named(name);
        migrate(schema);
        requireCurrent(schema);
        dsl.execute("INSERT INTO " + schema.qualified("staged_jobs") + " (topic, job_name) VALUES ('t', 'n')");
        dsl.fetch("SELECT " + schema.qualified("stage_job") + "('t', 'n', '{}')");
        assertThat(dsl.fetchValue("SELECT count(*) FROM " + schema.qualified("staged_jobs")))
                .isEqualTo(2L);
        assertThat(dsl.fetchValue("SELECT to_regclass('public.staged_jobs')")).isNull();
    }

    @Test
    void a_missing_schema_is_told_with_what_to_do() {
        assertThatThrownBy(() -> requireCurrent(Schema.PUBLIC))
                .isInstanceOf(SchemaException.class)
                .hasMessageContainingAll("cannot find", "\"public\"", "staged-jobs migrate");
    }

    @Test
    void a_newer_schema_is_refused_and_left_alone() throws SQLException {
        migrate(Schema.PUBLIC);
        dsl.execute("INSERT INTO staged_jobs_schema (version) VALUES (999)");
        assertThatThrownBy(() -> requireCurrent(Schema.PUBLIC))
                .isInstanceOf(SchemaException.class)
                .hasMessageContainingAll("version 999", "newer release");
        assertThatThrownBy(() -> migrate(Schema.PUBLIC)).isInstanceOf(SchemaException.class);
    }

    @Test
    void flyway_can_apply_the_same_files_and_migrate_finds_nothing_to_do() throws SQLException {
        Flyway.configure()
                .dataSource(database.dataSource())
                .defaultSchema("outbox")
                .locations("classpath:io/stagedjobs/schema/db")
                .load()
                .migrate();
        assertThat(migrate(Schema.named("outbox"))).isZero();
        requireCurrent(Schema.named("outbox"));
        dsl.fetch("SELECT outbox.stage_job('t', 'n', '{}')");
        assertThat(dsl.fetchValue("SELECT count(*) FROM outbox.staged_jobs")).isEqualTo(1L);
    }

    @Test
    void a_database_without_a_character_encoding_is_refused() throws SQLException {
        String name = "ascii_" + UUID.randomUUID().toString().replace("-", "");
        dsl.execute("CREATE DATABASE " + name + " ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
        TestDatabase ascii = new TestDatabase(
                database.url().replace("/" + database.name(), "/" + name),
                database.host(),
                database.port(),
                name,
                database.username(),
                database.password());
        try (Connection connection = ascii.connect()) {
            assertThatThrownBy(() -> Schema.PUBLIC.migrate(connection))
                    .isInstanceOf(SchemaException.class)
                    .hasMessageContainingAll("SQL_ASCII", "UTF8");
        }
    }

    @Test
    void the_payload_limit_can_be_raised_and_lowered() throws SQLException {
        migrate(Schema.PUBLIC);
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.limitPayload(connection, 2_000_000, line -> {});
            dsl.execute("INSERT INTO staged_jobs (topic, job_name, payload) VALUES ('t', 'n', ?)", new byte[2_000_000]);
            Schema.PUBLIC.limitPayload(connection, 10, line -> {});
            assertThatThrownBy(() -> dsl.execute(
                            "INSERT INTO staged_jobs (topic, job_name, payload) VALUES ('t', 'n', ?)", new byte[11]))
                    .hasMessageContaining("staged_jobs_payload_size");
            assertThatThrownBy(() -> Schema.PUBLIC.limitPayload(connection, 0, line -> {}))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void a_job_that_was_moved_aside_returns_though_the_payload_limit_was_lowered_meanwhile() throws SQLException {
        migrate(Schema.PUBLIC);
        dsl.execute("INSERT INTO staged_jobs (topic, job_name, payload) VALUES ('t', 'n', ?)", new byte[100]);
        long id = dsl.fetchSingle("DELETE FROM staged_jobs RETURNING id").get(0, long.class);
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.limitPayload(connection, 10, line -> {});
        }
        dsl.execute(
                "INSERT INTO staged_jobs (id, topic, job_name, payload) OVERRIDING SYSTEM VALUE VALUES (?, 't',"
                        + " 'n', ?)",
                id,
                new byte[100]);
        assertThat(dsl.fetchValue("SELECT count(*) FROM staged_jobs")).isEqualTo(1L);
        assertThatThrownBy(() -> dsl.execute(
                        "INSERT INTO staged_jobs (topic, job_name, payload) VALUES ('t', 'n', ?)", new byte[11]))
                .hasMessageContaining("staged_jobs_payload_size");
    }

    @Test
    void no_job_can_be_staged_for_the_topic_in_which_the_enqueuer_keeps_its_progress() throws SQLException {
        migrate(Schema.PUBLIC);
        assertThatThrownBy(() -> dsl.execute(
                        "INSERT INTO staged_jobs (topic, job_name) VALUES ('staged-jobs-progress-1-2-3', 'n')"))
                .hasMessageContaining("staged_jobs_topic_reserved");
    }

    @Test
    void a_plain_insert_of_three_columns_is_enough() throws SQLException {
        migrate(Schema.PUBLIC);
        dsl.execute("INSERT INTO staged_jobs (topic, job_name, payload) VALUES ('users', 'user.created', 'x')");
        var row = dsl.fetchSingle("SELECT * FROM staged_jobs");
        assertThat(row.get("job_id")).isNotNull();
        assertThat(row.get("id", long.class)).isPositive();
        assertThat(row.get("lane", int.class)).isZero();
        assertThat(row.get("staged_at")).isNotNull();
        assertThat(row.get("headers")).isNull();
    }

    @Test
    void nobody_chooses_a_position_or_a_lane() throws SQLException {
        migrate(Schema.PUBLIC);
        Schema.PUBLIC.spread(dsl, 8);
        assertThatThrownBy(() -> dsl.execute("INSERT INTO staged_jobs (id, topic, job_name) VALUES (1, 't', 'n')"))
                .isInstanceOf(DataAccessException.class);
        dsl.execute("INSERT INTO staged_jobs (lane, topic, job_key, job_name) VALUES (77, 'users', '1', 'n')");
        assertThat(dsl.fetchValue("SELECT lane::int FROM staged_jobs")).isEqualTo(LANES_OF_FIVE_KEYS.get(0));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "'.', 'n', null, null                   | staged_jobs_topic_name",
                "'..', 'n', null, null                  | staged_jobs_topic_name",
                "'a b', 'n', null, null                 | staged_jobs_topic_name",
                "E'a\\n', 'n', null, null               | staged_jobs_topic_name",
                "repeat('t', 250), 'n', null, null      | staged_jobs_topic_name",
                "'t', '', null, null                    | staged_jobs_job_name_size",
                "'t', 'n', repeat('k', 4097), null      | staged_jobs_job_key_size",
                "'t', 'n', null, '{\"ce_id\": \"1\"}'   | staged_jobs_headers_prefix",
                "'t', 'n', null, '{\"a\": 1}'           | staged_jobs_headers_strings",
                "'t', 'n', null, '{\"a\": null}'        | staged_jobs_headers_strings",
                "'t', 'n', null, '{\"a\": {}}'          | staged_jobs_headers_strings",
                "'t', 'n', null, '[]'                   | staged_jobs_headers_strings",
                "'t', 'n', null, '\"a\"'                | staged_jobs_headers_strings",
                "'t', 'n', null, 'null'                 | staged_jobs_headers_strings",
                "'t', 'n', null, '{\"a\": []}'          | staged_jobs_headers_strings",
                "'t', 'n', null, '{\"a\": [\"b\"]}'     | staged_jobs_headers_strings",
                "'t', 'n', null, jsonb_build_object(repeat('é', 128), 'v') | staged_jobs_header_name_size",
                "'t', 'n', null, jsonb_build_object('a', repeat('v', 100000)) | staged_jobs_headers_size",
                "'__consumer_offsets', 'n', null, null  | staged_jobs_topic_reserved",
                "'__transaction_state', 'n', null, null | staged_jobs_topic_reserved",
                "'__share_group_state', 'n', null, null | staged_jobs_topic_reserved",
                "'__cluster_metadata', 'n', null, null  | staged_jobs_topic_reserved",
            })
    void what_kafka_can_never_take_is_refused_by_the_table(String values, String constraint) throws SQLException {
        migrate(Schema.PUBLIC);
        assertThatThrownBy(() -> dsl.connection(connection -> {
                    try (var statement = connection.createStatement()) {
                        statement.execute(
                                "INSERT INTO staged_jobs (topic, job_name, job_key, headers) VALUES (" + values + ")");
                    }
                }))
                .rootCause()
                .hasMessageContaining(constraint);
    }

    @Test
    void jobs_of_one_key_share_a_lane_and_jobs_without_a_key_are_spread() throws SQLException {
        migrate(Schema.PUBLIC);
        Schema.PUBLIC.spread(dsl, 8);
        dsl.execute("INSERT INTO staged_jobs (topic, job_key, job_name)"
                + " SELECT 't', 'key ' || i % 100, 'n' FROM generate_series(1, 1000) AS i");
        assertThat(dsl.fetchValue("SELECT max(lanes) FROM"
                        + " (SELECT count(DISTINCT lane) AS lanes FROM staged_jobs GROUP BY job_key) AS k"))
                .isEqualTo(1L);
        assertThat(dsl.fetchValue("SELECT count(DISTINCT lane) FROM staged_jobs"))
                .isEqualTo(8L);
        dsl.execute("DELETE FROM staged_jobs");
        dsl.execute("INSERT INTO staged_jobs (topic, job_name) SELECT 't', 'n' FROM generate_series(1, 800)");
        assertThat(dsl.fetch("SELECT count(*) FROM staged_jobs GROUP BY lane").getValues(0, long.class))
                .hasSize(8)
                .containsOnly(100L);
    }

    /** The lane decides a key's order: a release that computed it otherwise would break it for jobs that wait. */
    @Test
    void the_lane_of_a_key_is_what_it_always_was() throws SQLException {
        migrate(Schema.PUBLIC);
        Schema.PUBLIC.spread(dsl, 8);
        dsl.execute("INSERT INTO staged_jobs (topic, job_key, job_name)"
                + " SELECT 'users', k, 'n' FROM unnest(ARRAY['1', '2', '3', 'é', '']) WITH ORDINALITY AS k"
                + " (k, n) ORDER BY n");
        assertThat(dsl.fetch("SELECT lane FROM staged_jobs ORDER BY id").getValues(0, int.class))
                .isEqualTo(LANES_OF_FIVE_KEYS);
        dsl.execute("INSERT INTO staged_jobs (id, topic, job_name) OVERRIDING SYSTEM VALUE"
                + " SELECT n, 'users', 'n' FROM generate_series(1007, 1009) AS n");
        assertThat(dsl.fetch("SELECT lane FROM staged_jobs WHERE id > 1000 ORDER BY id")
                        .getValues(0, int.class))
                .containsExactly(7, 0, 1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"infinity", "-infinity", "0001-12-31 23:59:59+00 BC", "10000-01-01 00:00:00+00"})
    void a_time_that_no_record_can_carry_is_refused(String time) throws SQLException {
        migrate(Schema.PUBLIC);
        assertThatThrownBy(() -> dsl.execute(
                        "INSERT INTO staged_jobs (topic, job_name, staged_at) VALUES ('t', 'n', ?::timestamptz)", time))
                .hasMessageContaining("staged_jobs_staged_at_range");
    }

    @Test
    void jobs_that_wait_or_are_moved_aside_are_spread_anew_as_new_ones_are() throws SQLException {
        migrate(Schema.PUBLIC);
        String stage = "INSERT INTO staged_jobs (topic, job_key, job_name)"
                + " SELECT 'topic-' || n % 7, CASE WHEN n % 3 > 0 THEN 'é' || n END, 'n' FROM generate_series(1,"
                + " 300) AS n";
        dsl.execute(stage);
        dsl.execute("INSERT INTO parked_jobs (lane, id, job_id, topic, job_key, job_name, staged_at, state, reason)"
                + " SELECT lane, id + 3000, job_id, topic, job_key, job_name, staged_at, 'parked', 'too"
                + " large' FROM staged_jobs");
        assertThat(dsl.fetchValue("SELECT count(DISTINCT lane) FROM staged_jobs"))
                .isEqualTo(1L);
        for (int lanes : new int[] {3, 64, 8, 1}) {
            Schema.PUBLIC.spread(dsl, lanes);
            dsl.execute(stage);
            for (String table : List.of("staged_jobs", "parked_jobs")) {
                assertThat(dsl.fetchValue("SELECT count(DISTINCT lane) FROM " + table))
                        .isEqualTo((long) lanes);
            }
            assertThat(dsl.fetchValue("SELECT max(lanes) FROM (SELECT count(DISTINCT lane) AS lanes FROM (TABLE"
                            + " staged_jobs UNION ALL SELECT lane, id, job_id, topic, job_key, job_name,"
                            + " payload, headers, staged_at"
                            + " FROM parked_jobs) AS j WHERE job_key IS NOT NULL GROUP BY topic,"
                            + " job_key) AS k"))
                    .isEqualTo(1L);
        }
    }

    @Test
    void a_row_that_is_refused_is_not_shown() throws SQLException {
        migrate(Schema.PUBLIC);
        for (String values : List.of(
                "NULL, 'n', 'secret', 'x'",
                "'t', NULL, 'secret', 'x'",
                "'t', repeat('n', 256), 'secret', 'x'",
                "'t', 'n', 'secret', convert_to(repeat('secret', 200000), 'UTF8')")) {
            assertThatThrownBy(() -> dsl.execute(
                            "INSERT INTO staged_jobs (topic, job_name, job_key, payload) VALUES (" + values + ")"))
                    .rootCause()
                    .isInstanceOfSatisfying(PSQLException.class, e -> {
                        ServerErrorMessage server = e.getServerErrorMessage();
                        assertThat(server.getSQLState()).isIn("23502", "23514");
                        assertThat(server.getTable()).isEqualTo("staged_jobs");
                        assertThat(server.toString()).doesNotContain("secret");
                    });
        }
    }

    @Test
    void the_earliest_and_the_latest_time_that_a_record_can_carry_are_taken() throws SQLException {
        migrate(Schema.PUBLIC);
        dsl.execute("INSERT INTO staged_jobs (topic, job_name, staged_at) VALUES ('t', 'n', '0001-01-01 00:00:00+00'),"
                + " ('t', 'n', '9999-12-31 23:59:59.999999+00')");
        assertThat(dsl.fetchCount(DSL.table("staged_jobs"))).isEqualTo(2);
    }

    @Test
    void headers_at_their_bounds_are_taken() throws SQLException {
        migrate(Schema.PUBLIC);
        for (String headers : List.of(
                "'{}'",
                "'{\"a\": \"ce_value\"}'",
                "'{\"\": \"\"}'",
                "jsonb_build_object(repeat('é', 127), repeat('v', 90000))")) {
            dsl.execute("INSERT INTO staged_jobs (topic, job_name, headers) VALUES ('t', 'n', " + headers + ")");
        }
        assertThat(dsl.fetchCount(DSL.table("staged_jobs"))).isEqualTo(4);
    }

    /** The ways that docs/contract.md names, with what drivers send: bytes, or text as a parameter of type varchar. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "INSERT INTO staged_jobs (topic, job_name, payload) VALUES ('t', 'n', ?)",
                "INSERT INTO staged_jobs (topic, job_name, payload) VALUES ('t', 'n', convert_to(?, 'UTF8'))",
                "SELECT stage_job('t', 'n', ?)",
                "SELECT stage_job('t', 'n', ?, 'k', ?)"
            })
    void a_backslash_a_quote_a_line_break_and_an_umlaut_arrive_as_they_were_given(String sql) throws SQLException {
        migrate(Schema.PUBLIC);
        String json = "{\"p\": \"C:\\\\new \\\\d+ \\\\101\", \"q\": \"say \\\"ü\\\"\\n\"}";
        try (Connection connection = database.connect();
                PreparedStatement statement = connection.prepareStatement(sql)) {
            if (sql.endsWith("'n', ?)") && sql.startsWith("INSERT")) {
                statement.setBytes(1, json.getBytes(UTF_8));
            } else {
                statement.setString(1, json);
            }
            if (sql.contains("'k'")) {
                statement.setString(2, "{\"h\": \"v\"}");
            }
            statement.execute();
        }
        assertThat(dsl.fetchSingle("SELECT payload FROM staged_jobs").get(0, byte[].class))
                .asString(UTF_8)
                .isEqualTo(json);
    }

    /** What drivers send: a text, a varchar, json, jsonb, and literals without a type. */
    @ParameterizedTest
    @ValueSource(strings = {"%s", "%s::text", "%s::varchar", "%s::json", "%s::jsonb"})
    void a_job_is_staged_by_function_whatever_type_its_payload_has(String payload) throws SQLException {
        migrate(Schema.PUBLIC);
        String json = "{\"p\":\"C:\\\\new\", \"q\":\"say \\\"ü\\\"\\n\"}";
        dsl.connection(connection -> {
            try (var statement = connection.createStatement()) {
                statement.execute("SELECT stage_job('t', 'n', " + payload.formatted("'" + json + "'") + ")");
                statement.execute("SELECT stage_job('t', 'n', " + payload.formatted("'" + json + "'")
                        + ", 'k', '{\"h\": \"v\"}')");
            }
        });
        assertThat(dsl.fetch("SELECT convert_from(payload, 'UTF8')::jsonb = ?::jsonb FROM staged_jobs", json)
                        .getValues(0, boolean.class))
                .containsExactly(true, true);
    }

    @Test
    void an_open_writer_delays_a_change_of_the_payload_limit_and_is_named() throws Exception {
        migrate(Schema.PUBLIC);
        List<String> told = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch toldOnce = new CountDownLatch(1);
        try (Connection writer = database.connect();
                Connection connection = database.connect()) {
            writer.setAutoCommit(false);
            DSL.using(writer, SQLDialect.POSTGRES)
                    .execute("SET application_name = 'the writer'; INSERT INTO staged_jobs (topic, job_name, payload)"
                            + " VALUES ('t', 'n', 'longer than ten')");
            ExecutorService thread = Executors.newSingleThreadExecutor();
            try {
                Future<?> change = thread.submit(() -> Schema.PUBLIC.limitPayload(connection, 10, line -> {
                    told.add(line);
                    toldOnce.countDown();
                }));
                assertThat(toldOnce.await(30, TimeUnit.SECONDS)).isTrue();
                writer.commit();
                change.get(30, TimeUnit.SECONDS);
            } finally {
                thread.shutdownNow();
            }
        }
        assertThat(told).hasSize(1);
        assertThat(told.get(0)).contains("waiting for table staged_jobs", "the writer", "idle in transaction");
        assertThatThrownBy(() -> dsl.execute(
                        "INSERT INTO staged_jobs (topic, job_name, payload) VALUES ('t', 'n', 'longer than ten')"))
                .hasMessageContaining("staged_jobs_payload_size");
    }

    private static final List<Integer> LANES_OF_FIVE_KEYS = List.of(7, 7, 0, 7, 3);

    @Test
    void the_table_has_one_index_and_its_vacuum_settings() throws SQLException {
        migrate(Schema.PUBLIC);
        assertThat(dsl.fetch("SELECT indexname FROM pg_indexes WHERE tablename = 'staged_jobs'")
                        .getValues(0, String.class))
                .containsExactly("staged_jobs_pkey");
        assertThat(Set.of(dsl.fetchSingle("SELECT reloptions FROM pg_class WHERE relname = 'staged_jobs'")
                        .get(0, String[].class)))
                .contains("autovacuum_vacuum_scale_factor=0.0", "autovacuum_vacuum_cost_delay=0");
    }

    @Test
    void a_name_that_no_schema_can_have_is_refused() {
        assertThatThrownBy(() -> Schema.named("")).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Schema.named("x".repeat(64))).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Schema.named("a\0")).isInstanceOf(IllegalArgumentException.class);
    }
}
