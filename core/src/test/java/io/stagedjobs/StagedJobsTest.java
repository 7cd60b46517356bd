package io.stagedjobs;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.zaxxer.hikari.HikariDataSource;
import io.stagedjobs.schema.Schema;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import javax.sql.DataSource;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.PGConnection;
import org.postgresql.jdbc.AutoSave;

class StagedJobsTest {

    private static SchemaFixture fixture;
    private final StagedJobs stagedJobs = new StagedJobs();

    @BeforeAll
    static void install() {
        fixture = new SchemaFixture("staging");
    }

    @BeforeEach
    void clear() {
        fixture.clear();
    }

    private static StagedJob job(String name) {
        return StagedJob.builder("users", name).key("7").payload("{}").build();
    }

    private static Connection open() throws SQLException {
        Connection connection = fixture.database.connect();
        connection.setAutoCommit(false);
        return connection;
    }

    @Test
    void a_job_is_visible_to_others_only_after_the_commit() throws SQLException {
        try (Connection connection = open()) {
            stagedJobs.stage(connection, job("user.created"));
            assertThat(fixture.namesStaged()).isEmpty();
            connection.commit();
            assertThat(fixture.namesStaged()).containsExactly("user.created");
        }
    }

    @Test
    void a_job_of_a_rolled_back_transaction_is_gone() throws SQLException {
        try (Connection connection = open()) {
            stagedJobs.stage(connection, job("user.created"));
            connection.rollback();
        }
        assertThat(fixture.namesStaged()).isEmpty();
    }

    @Test
    void an_autocommit_connection_is_refused_and_nothing_is_staged() throws SQLException {
        try (Connection connection = fixture.database.connect()) {
            assertThatThrownBy(() -> stagedJobs.stage(connection, job("user.created")))
                    .isInstanceOf(NoTransactionException.class)
                    .hasMessageContainingAll("autocommit", "Nothing was staged", "Open a transaction first");
        }
        assertThatThrownBy(() -> stagedJobs.stage(fixture.dsl(), job("user.created")))
                .isInstanceOf(NoTransactionException.class);
        assertThat(fixture.namesStaged()).isEmpty();
    }

    /** Such a pool rolls back what comes back to it uncommitted. */
    @Test
    void a_jooq_context_outside_of_a_transaction_is_refused_also_where_the_pool_is_not_in_autocommit_mode() {
        try (HikariDataSource pool = fixture.pool(1, false)) {
            DSLContext dsl = DSL.using(pool, SQLDialect.POSTGRES);
            assertThatThrownBy(() -> stagedJobs.stage(dsl, job("user.created")))
                    .isInstanceOf(NoTransactionException.class)
                    .hasMessageContainingAll("outside of a transaction", "Nothing was staged");
            assertThat(fixture.namesStaged()).isEmpty();
            dsl.transaction(transaction -> stagedJobs.stage(transaction.dsl(), job("in.a.transaction")));
            UnitOfWork.on(pool).run(work -> stagedJobs.stage(work.dsl(), job("in.a.unit")));
        }
        assertThat(fixture.namesStaged()).containsExactly("in.a.transaction", "in.a.unit");
    }

    /**
     * A pool that gives each connection to one at a time, in no autocommit mode, and ends nothing when it comes back.
     */
    private static DataSource careless(boolean unwraps, List<Connection> opened) {
        Deque<Connection> idle = new ArrayDeque<>();
        return proxy(DataSource.class, (method, arguments) -> {
            Connection connection = idle.poll();
            if (connection == null) {
                connection = open();
                opened.add(connection);
            }
            Connection lent = connection;
            return proxy(Connection.class, (called, given) -> switch (called.getName()) {
                case "close" -> {
                    idle.push(lent);
                    yield null;
                }
                case "isWrapperFor" -> unwraps && lent.isWrapperFor((Class<?>) given[0]);
                default -> called.invoke(lent, given);
            });
        });
    }

    private interface Call {
        Object to(Method method, Object[] arguments) throws Throwable;
    }

    private static <T> T proxy(Class<T> type, Call call) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(),
                new Class<?>[] {type},
                (proxy, method, arguments) -> call.to(method, arguments)));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void a_jooq_context_outside_of_a_transaction_is_refused_whatever_the_pool_does(boolean unwraps)
            throws SQLException {
        List<Connection> opened = new ArrayList<>();
        try {
            DSLContext dsl = DSL.using(careless(unwraps, opened), SQLDialect.POSTGRES);
            for (List<StagedJob> jobs : List.of(List.of(job("never")), List.of(job("never"), job("neither")))) {
                assertThatThrownBy(() -> stagedJobs.stage(dsl, jobs)).isInstanceOf(NoTransactionException.class);
            }
            dsl.transaction(transaction -> stagedJobs.stage(transaction.dsl(), job("in.a.transaction")));
            for (Connection connection : opened) {
                connection.commit();
            }
        } finally {
            for (Connection connection : opened) {
                connection.close();
            }
        }
        assertThat(fixture.namesStaged()).containsExactly("in.a.transaction");
    }

    @Test
    void a_job_staged_through_jooq_shares_the_fate_of_jooqs_transaction() {
        fixture.dsl().transaction(transaction -> stagedJobs.stage(transaction.dsl(), job("by.context")));
        assertThatThrownBy(() -> fixture.dsl().transaction(transaction -> {
                    stagedJobs.stage(transaction.dsl(), job("rolled.back"));
                    throw new IllegalStateException("the business says no");
                }))
                .hasMessageContaining("the business says no");
        assertThat(fixture.namesStaged()).containsExactly("by.context");
    }

    @Test
    void every_part_of_a_job_arrives_in_its_column_as_it_was_given() {
        byte[] bytes = {0, 1, (byte) 0xff, '\'', '\\', '"', '{', ','};
        Map<String, String> headers = Map.of("traceparent", "00-1-2-01", "quote\"d", "line\nbreak \\ € 😀 \u0001");
        StagedJob job = new StagedJob(UUID.randomUUID(), "orders.v1", "ключ 😀 '", "order.completed", bytes, headers);
        fixture.dsl().transaction(transaction -> stagedJobs.stage(transaction.dsl(), job));

        Record row = fixture.dsl().fetchSingle("SELECT *, headers::text AS json FROM staged_jobs");
        assertThat(row.get("job_id")).isEqualTo(job.id());
        assertThat(row.get("topic")).isEqualTo("orders.v1");
        assertThat(row.get("job_key")).isEqualTo("ключ 😀 '");
        assertThat(row.get("job_name")).isEqualTo("order.completed");
        assertThat(row.get("payload", byte[].class)).isEqualTo(bytes);
        assertThat(parsed(row.get("json", String.class))).isEqualTo(headers);
        assertThat(row.get("staged_at")).isNotNull();
    }

    private static Map<?, ?> parsed(String json) {
        try {
            return new ObjectMapper().readValue(json, Map.class);
        } catch (java.io.IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void a_job_without_key_payload_and_headers_has_nulls_there() {
        fixture.dsl()
                .transaction(transaction -> stagedJobs.stage(
                        transaction.dsl(),
                        StagedJob.builder("users", "user.deleted").build()));
        Record row = fixture.dsl().fetchSingle("SELECT job_key, payload, headers FROM staged_jobs");
        assertThat(row.intoList()).containsOnlyNulls();
    }

    @Test
    void an_empty_payload_is_not_a_tombstone() {
        fixture.dsl()
                .transaction(transaction -> stagedJobs.stage(
                        transaction.dsl(),
                        StagedJob.builder("users", "user.seen")
                                .payload(new byte[0])
                                .build()));
        assertThat(fixture.dsl().fetchSingle("SELECT payload FROM staged_jobs").get(0, byte[].class))
                .isEmpty();
    }

    @Test
    void an_object_becomes_json_through_the_codec_that_is_there() {
        StagedJob job =
                StagedJob.builder("users", "user.created").json(Map.of("id", 7)).build();
        assertThat(new String(job.payload(), UTF_8)).isEqualTo("{\"id\":7}");
        StagedJob own = StagedJob.builder("users", "user.created")
                .json(Map.of("id", 7), value -> "[]".getBytes(UTF_8))
                .build();
        assertThat(new String(own.payload(), UTF_8)).isEqualTo("[]");
    }

    @Test
    void an_object_that_is_no_json_is_refused_by_either_jackson() {
        for (JsonCodec jackson : List.of(new Jackson2JsonCodec(), new Jackson3JsonCodec())) {
            assertThatThrownBy(() -> StagedJob.builder("users", "x").json(new Object(), jackson))
                    .isInstanceOf(JobRefusedException.class)
                    .hasMessageContaining("java.lang.Object");
        }
    }

    @Test
    void a_time_is_written_as_text_by_either_jackson() {
        for (JsonCodec jackson : List.of(new Jackson2JsonCodec(), new Jackson3JsonCodec())) {
            StagedJob job = StagedJob.builder("users", "x")
                    .json(new Timestamp(0), jackson)
                    .build();
            assertThat(new String(job.payload(), UTF_8)).startsWith("\"1970-01-01T00:00:00");
        }
    }

    @Test
    void many_jobs_keep_the_order_of_their_list() {
        List<String> names = IntStream.range(0, 5_000).mapToObj(i -> "job." + i).toList();
        fixture.dsl()
                .transaction(transaction -> stagedJobs.stage(
                        transaction.dsl(),
                        names.stream().map(StagedJobsTest::job).toList()));
        assertThat(fixture.namesStaged()).isEqualTo(names);
    }

    @Test
    void many_jobs_are_one_statement() {
        fixture.dsl().execute("CREATE TABLE statements (n int)");
        fixture.dsl()
                .execute("CREATE FUNCTION count_statement() RETURNS trigger LANGUAGE plpgsql AS"
                        + " 'BEGIN INSERT INTO statements VALUES (1); RETURN NULL; END'");
        fixture.dsl()
                .execute("CREATE TRIGGER count_statement AFTER INSERT ON staged_jobs"
                        + " FOR EACH STATEMENT EXECUTE FUNCTION count_statement()");
        try {
            List<StagedJob> jobs =
                    IntStream.range(0, 1_000).mapToObj(i -> job("job." + i)).toList();
            fixture.dsl().transaction(transaction -> stagedJobs.stage(transaction.dsl(), jobs));
            assertThat(fixture.dsl().fetchCount(org.jooq.impl.DSL.table("statements")))
                    .isEqualTo(1);
        } finally {
            fixture.dsl().execute("DROP TRIGGER count_statement ON staged_jobs");
        }
    }

    @Test
    void a_list_beyond_the_bytes_of_a_statement_is_split_and_keeps_its_order() {
        StagedJobs small = new StagedJobs(Schema.PUBLIC, 10);
        List<StagedJob> jobs = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            jobs.add(StagedJob.builder("users", "job." + i).payload("1234").build());
        }
        fixture.dsl().transaction(transaction -> small.stage(transaction.dsl(), jobs));
        assertThat(fixture.namesStaged())
                .isEqualTo(jobs.stream().map(StagedJob::name).toList());
    }

    @Test
    void an_empty_list_does_nothing() {
        fixture.dsl().transaction(transaction -> stagedJobs.stage(transaction.dsl(), List.of()));
        assertThat(fixture.namesStaged()).isEmpty();
    }

    @Test
    void a_payload_over_the_limit_fails_the_transaction_that_made_it() {
        assertThatThrownBy(() -> fixture.dsl().transaction(transaction -> {
                    transaction.dsl().execute("CREATE TABLE business (id int)");
                    stagedJobs.stage(
                            transaction.dsl(),
                            StagedJob.builder("users", "big")
                                    .payload(new byte[900_001])
                                    .build());
                }))
                .isInstanceOf(JobRefusedException.class)
                .hasMessageContainingAll(
                        "job \"big\": its payload has 900001 bytes", "--payload-max", "Nothing was staged");
        assertThat(fixture.dsl().fetchValue("SELECT to_regclass('business')")).isNull();
        assertThat(fixture.namesStaged()).isEmpty();
    }

    @Test
    void a_list_with_one_bad_job_says_which() {
        StagedJob big =
                StagedJob.builder("users", "big").payload(new byte[900_001]).build();
        assertThatThrownBy(() -> fixture.dsl()
                        .transaction(transaction ->
                                stagedJobs.stage(transaction.dsl(), List.of(job("a"), job("b"), big, job("c")))))
                .isInstanceOf(JobRefusedException.class)
                .hasMessageContaining("job \"big\" (number 3 of 4 in the list)");
        StagedJob.Builder wordy = StagedJob.builder("users", "wordy");
        IntStream.range(0, 10_000).forEach(i -> wordy.header("header-" + i, "v"));
        assertThatThrownBy(() -> fixture.dsl()
                        .transaction(
                                transaction -> stagedJobs.stage(transaction.dsl(), List.of(job("a"), wordy.build()))))
                .isInstanceOf(JobRefusedException.class)
                .hasMessageContaining("job \"wordy\" (number 2 of 2 in the list)");
        assertThat(fixture.namesStaged()).isEmpty();
    }

    private static StagedJob tooBig() {
        return StagedJob.builder("users", "big").payload(new byte[900_001]).build();
    }

    @Test
    void a_refusal_that_is_swallowed_lets_a_commit_store_nothing_and_says_so() throws SQLException {
        fixture.dsl().execute("CREATE TABLE IF NOT EXISTS swallowed (id int)");
        try (Connection connection = open()) {
            connection.createStatement().execute("INSERT INTO swallowed VALUES (1)");
            assertThatThrownBy(() -> stagedJobs.stage(connection, tooBig()))
                    .isInstanceOf(JobRefusedException.class)
                    .hasMessageContainingAll("can only be rolled back", "a commit stores nothing");
            catchThrowable(connection::commit);
        }
        assertThat(fixture.dsl().fetchCount(DSL.table("swallowed"))).isZero();
    }

    @Test
    void a_refusal_says_that_the_drivers_autosave_would_store_the_rows_without_the_job() throws SQLException {
        fixture.dsl().execute("CREATE TABLE IF NOT EXISTS autosaved (id int)");
        try (Connection connection = open()) {
            connection.unwrap(PGConnection.class).setAutosave(AutoSave.ALWAYS);
            connection.createStatement().execute("INSERT INTO autosaved VALUES (1)");
            assertThatThrownBy(() -> stagedJobs.stage(connection, tooBig()))
                    .isInstanceOf(JobRefusedException.class)
                    .hasMessageContainingAll("autosave", "Roll it back", "without the job")
                    .hasMessageNotContaining("can only be rolled back");
            assertThatThrownBy(() -> new StagedJobs(Schema.named("elsewhere")).stage(connection, job("x")))
                    .isInstanceOf(StagingFailedException.class)
                    .hasMessageContaining("autosave");
            connection.commit();
        }
        assertThat(fixture.dsl().fetchCount(DSL.table("autosaved"))).isOne();
    }

    /** A rule of the application's own on our table: PostgreSQL shows the row in the details of its error. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "ADD CONSTRAINT own CHECK (job_name <> 'secret')",
                "ALTER COLUMN headers SET NOT NULL",
                "ADD CONSTRAINT own EXCLUDE (job_name WITH =)"
            })
    void no_error_shows_the_content_of_a_job(String rule) throws SQLException {
        fixture.dsl().execute("ALTER TABLE staged_jobs " + rule);
        try (Connection connection = open()) {
            StagedJob secret = StagedJob.builder("users", "secret")
                    .key("secret key")
                    .payload("secret payload")
                    .build();
            Throwable refused = catchThrowable(() -> {
                stagedJobs.stage(connection, secret);
                stagedJobs.stage(connection, secret);
            });
            assertThat(refused).isInstanceOf(StagedJobsException.class);
            StringWriter trace = new StringWriter();
            refused.printStackTrace(new PrintWriter(trace));
            assertThat(trace.toString()).contains("constraint").doesNotContain("secret key", "Failing row", "(secret)");
        } finally {
            fixture.dsl().execute("ALTER TABLE staged_jobs DROP CONSTRAINT IF EXISTS own");
            fixture.dsl().execute("ALTER TABLE staged_jobs ALTER COLUMN headers DROP NOT NULL");
        }
    }

    @Test
    void a_payload_at_the_limit_is_staged() {
        fixture.dsl()
                .transaction(transaction -> stagedJobs.stage(
                        transaction.dsl(),
                        StagedJob.builder("users", "big")
                                .payload(new byte[900_000])
                                .build()));
        assertThat(fixture.namesStaged()).containsExactly("big");
    }

    @Test
    void a_hundred_megabytes_are_refused_and_the_connection_lives_on() throws SQLException {
        try (Connection connection = open()) {
            assertThatThrownBy(() -> stagedJobs.stage(
                            connection,
                            StagedJob.builder("users", "huge")
                                    .payload(new byte[100_000_000])
                                    .build()))
                    .isInstanceOf(JobRefusedException.class);
            connection.rollback();
            stagedJobs.stage(connection, job("after"));
            connection.commit();
        }
        assertThat(fixture.namesStaged()).containsExactly("after");
    }

    @Test
    void ten_thousand_headers_are_carried_or_refused_by_their_size() {
        StagedJob.Builder carried = StagedJob.builder("users", "many.headers");
        IntStream.range(0, 5_000).forEach(i -> carried.header("h" + i, "v"));
        fixture.dsl().transaction(transaction -> stagedJobs.stage(transaction.dsl(), carried.build()));
        assertThat(fixture.dsl().fetchValue("SELECT count(*) FROM staged_jobs, jsonb_object_keys(headers)"))
                .isEqualTo(5_000L);

        StagedJob.Builder refused = StagedJob.builder("users", "too.many.headers");
        IntStream.range(0, 10_000).forEach(i -> refused.header("header-" + i, "v"));
        assertThatThrownBy(() ->
                        fixture.dsl().transaction(transaction -> stagedJobs.stage(transaction.dsl(), refused.build())))
                .isInstanceOf(JobRefusedException.class)
                .hasMessageContaining("headers have more than 100000 bytes");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "a b", "ä", "a/b", "a\n", "a\0"})
    void a_topic_that_kafka_cannot_have_is_refused(String topic) {
        assertThatThrownBy(() -> StagedJob.builder(topic, "x").build())
                .isInstanceOf(JobRefusedException.class)
                .hasMessageContaining("topic")
                .hasMessageNotContaining("\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "staged-jobs-progress-1",
                "__consumer_offsets",
                "__transaction_state",
                "__share_group_state",
                "__cluster_metadata"
            })
    void a_topic_that_only_kafka_or_the_enqueuer_writes_to_is_refused(String topic) {
        assertThatThrownBy(() -> StagedJob.builder(topic, "x").build())
                .isInstanceOf(JobRefusedException.class)
                .hasMessageContainingAll(topic, "itself writes to it");
    }

    @Test
    void a_headers_name_has_a_size() {
        assertThat(StagedJob.builder("t", "n")
                        .header("é".repeat(127), "v")
                        .build()
                        .headers())
                .hasSize(1);
        assertThatThrownBy(() ->
                        StagedJob.builder("t", "n").header("é".repeat(128), "v").build())
                .isInstanceOf(JobRefusedException.class)
                .hasMessageContaining("more than 255 bytes");
    }

    @Test
    void a_topic_of_250_characters_is_refused() {
        assertThat(StagedJob.builder("t".repeat(249), "x").build().topic()).hasSize(249);
        assertThatThrownBy(() -> StagedJob.builder("t".repeat(250), "x").build())
                .isInstanceOf(JobRefusedException.class);
    }

    @Test
    void nul_is_refused_wherever_it_stands() {
        assertThatThrownBy(() -> StagedJob.builder("t", "a\0b").build()).hasMessageContaining("NUL");
        assertThatThrownBy(() -> StagedJob.builder("t", "n").key("\0").build()).hasMessageContaining("NUL");
        assertThatThrownBy(() -> StagedJob.builder("t", "n").header("a\0", "v").build())
                .hasMessageContaining("NUL");
        assertThatThrownBy(() -> StagedJob.builder("t", "n").header("a", "\0").build())
                .hasMessageContaining("NUL");
    }

    @Test
    void half_of_a_surrogate_pair_is_refused_wherever_it_stands() {
        String half = "\ud83d";
        assertThatThrownBy(() -> StagedJob.builder("t", half).build()).hasMessageContaining("not valid Unicode");
        assertThatThrownBy(() -> StagedJob.builder("t", "n").key(half).build())
                .hasMessageContaining("not valid Unicode");
        assertThatThrownBy(() -> StagedJob.builder("t", "n").header("h", half).build())
                .isInstanceOf(JobRefusedException.class);
        assertThatThrownBy(() -> StagedJob.builder("t", "n").payload("a" + half))
                .isInstanceOf(JobRefusedException.class)
                .hasMessageContainingAll("payload", "not valid Unicode");
    }

    @Test
    void what_is_null_is_named() {
        Map<String, ThrowingCallable> uses = Map.of(
                "topic", () -> StagedJob.builder(null, "n").build(),
                "name", () -> StagedJob.builder("t", null).build(),
                "id", () -> StagedJob.builder("t", "n").id(null).build(),
                "headers", () -> new StagedJob(UUID.randomUUID(), "t", "k", "n", null, null),
                "header name",
                        () -> StagedJob.builder("t", "n").header(null, "v").build(),
                "header \"h\"",
                        () -> StagedJob.builder("t", "n").header("h", null).build(),
                "payload text", () -> StagedJob.builder("t", "n").payload((String) null),
                "JSON value", () -> StagedJob.builder("t", "n").json(null));
        uses.forEach((part, use) -> assertThatThrownBy(use)
                .isInstanceOf(JobRefusedException.class)
                .hasMessage("cannot stage a job whose " + part + " is null"));
    }

    @Test
    void a_header_of_the_job_may_not_look_like_one_of_ours() {
        assertThatThrownBy(
                        () -> StagedJob.builder("t", "n").header("ce_id", "1").build())
                .isInstanceOf(JobRefusedException.class)
                .hasMessageContaining("ce_");
    }

    @Test
    void names_and_keys_have_a_size() {
        assertThatThrownBy(() -> StagedJob.builder("t", "").build()).isInstanceOf(JobRefusedException.class);
        assertThatThrownBy(() -> StagedJob.builder("t", "n".repeat(256)).build())
                .isInstanceOf(JobRefusedException.class);
        assertThatThrownBy(
                        () -> StagedJob.builder("t", "n").key("é".repeat(2049)).build())
                .hasMessageContaining("4098 bytes");
        fixture.dsl()
                .transaction(transaction -> stagedJobs.stage(
                        transaction.dsl(),
                        StagedJob.builder("t", "😀".repeat(255))
                                .key("é".repeat(2048))
                                .build()));
        assertThat(fixture.namesStaged()).hasSize(1);
    }

    @Test
    void a_table_that_is_missing_is_told_with_its_sqlstate() throws SQLException {
        try (Connection connection = open()) {
            assertThatThrownBy(() -> new StagedJobs(Schema.named("elsewhere")).stage(connection, job("x")))
                    .isInstanceOf(StagingFailedException.class)
                    .hasMessageContainingAll("elsewhere.staged_jobs", "42P01", "Nothing was staged");
        }
    }
}
