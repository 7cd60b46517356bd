package io.stagedjobs.enqueuer.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Outbox;
import io.stagedjobs.schema.Schema;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jooq.DSLContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The files are what psql can run, and their plans are those that their heads promise. */
class StatementsTest {

    private static final Path FILES = Path.of("src/main/resources/io/stagedjobs/enqueuer/postgres");
    private static final Pattern HEAD =
            Pattern.compile("-- Index: (?<index>.*?)\\n-- Locks: .*?\\.\\n(?!--)", Pattern.DOTALL);
    private static final Pattern INDEX = Pattern.compile("\\w+_(pkey|held|key)\\b");
    private static final Pattern NAME = Pattern.compile("(?<!:):(?:\"(\\w+)\"|'(\\w+)'|([a-z_]+))");
    private static final int JOBS = 5_000;

    /** What {@code \set} would say. */
    private static final Map<String, String> VALUES = Map.ofEntries(
            Map.entry("schema", "public"),
            Map.entry("jobs_table", "public.staged_jobs"),
            Map.entry("parked_table", "public.parked_jobs"),
            Map.entry("id_sequence", "public.staged_jobs_id_seq"),
            Map.entry("lane", "0"),
            Map.entry("generation", "1"),
            Map.entry("era", "1.0 16384"),
            Map.entry("after", "10"),
            Map.entry("writers", "{3/14}"),
            Map.entry("share", "1000"),
            Map.entry("rows_max", "50"),
            Map.entry("percent", "10"),
            Map.entry("bytes_max", "1000000"),
            Map.entry("refused_topics", "{}"),
            Map.entry("held_topics", "{}"),
            Map.entry("held_from", "{}"),
            Map.entry("followers", "true"),
            Map.entry("ids_in_hand", "{11,12}"),
            Map.entry("first_id", "11"),
            Map.entry("last_id", "12"),
            Map.entry("ids", "{11,12}"),
            Map.entry("states", "{held,held}"),
            Map.entry("reasons", "{\"topic missing\",\"topic missing\"}"),
            Map.entry("errors", "{NULL,NULL}"),
            Map.entry("topics", "{one,two}"),
            Map.entry("topic", "one"),
            Map.entry("follows", "follows"),
            Map.entry("batch", "7"),
            Map.entry("enqueuer", new UUID(1, 2).toString()),
            Map.entry("database", "01234567"),
            Map.entry("takeover_millis", "10000"),
            Map.entry("places", "{kafka,\"lane 3\"}"),
            Map.entry("millis", "{5000,1}"),
            Map.entry("schema_name", "public"),
            Map.entry("sessions", "staged-jobs"));

    private static final Outbox OUTBOX = new Outbox("plans");
    private static final Transactions TRANSACTIONS =
            new Transactions(OUTBOX.database.dataSource(), UUID.randomUUID(), Duration.ofSeconds(4));

    @BeforeAll
    static void fill() {
        DSLContext dsl = OUTBOX.dsl();
        for (String state : List.of("held", "parked")) {
            stage(dsl);
            dsl.execute(
                    "WITH gone AS (DELETE FROM staged_jobs RETURNING *) INSERT INTO parked_jobs (lane, id, job_id,"
                            + " topic,"
                            + " job_key, job_name, payload, staged_at, state, reason) SELECT lane, id, job_id, topic,"
                            + " job_key, job_name, payload, staged_at, ?, 'topic missing' FROM gone",
                    state);
        }
        stage(dsl);
        dsl.execute("INSERT INTO staged_job_batches (lane, batch) SELECT lane, 6 FROM staged_job_lanes");
        dsl.execute("ANALYZE");
    }

    private static void stage(DSLContext dsl) {
        dsl.execute("INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                + " SELECT 'one', 'k' || n % 100, 'n', '{}' FROM generate_series(1, " + JOBS + ") AS n");
    }

    @AfterAll
    static void close() throws Exception {
        OUTBOX.close();
    }

    static List<String> files() throws IOException {
        try (Stream<Path> files = Files.list(FILES)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    /** As psql does it: quoted names and texts, everything else as it is. */
    private static String put(String file, MatchResult name) {
        if (name.group(1) != null) {
            return '"' + VALUES.get(name.group(1)) + '"';
        }
        if (name.group(3) != null) {
            return VALUES.get(name.group(3));
        }
        String pairs =
                file.equals("delete.sql") ? "\\x" + "00".repeat(32) : "{" + new UUID(1, 2) + "," + new UUID(3, 4) + "}";
        return "'" + (name.group(2).equals("job_ids") ? pairs : VALUES.get(name.group(2))) + "'";
    }

    private static String plan(String statement) {
        try (OpenTransaction transaction = TRANSACTIONS.begin()) {
            return transaction.ask(
                    "explain",
                    dsl -> dsl.connectionResult(connection -> {
                        try (var explained = connection.createStatement();
                                var rows = explained.executeQuery("EXPLAIN " + statement)) {
                            StringBuilder lines = new StringBuilder();
                            while (rows.next()) {
                                lines.append(rows.getString(1)).append('\n');
                            }
                            return lines.toString();
                        }
                    }));
        }
    }

    @ParameterizedTest
    @MethodSource("files")
    void a_statement_uses_the_indexes_that_its_head_names(String file) throws IOException {
        String text = Files.readString(FILES.resolve(file));
        Matcher head = HEAD.matcher(text);
        assertThat(head.find()).as("the head names indexes and locks, last").isTrue();
        List<String> named = INDEX.matcher(head.group("index"))
                .results()
                .map(index -> index.group())
                .toList();
        String put =
                NAME.matcher(text.substring(head.end())).replaceAll(name -> Matcher.quoteReplacement(put(file, name)));
        String plans = Stream.of(put.split(";\\s*\\n"))
                .filter(statement -> !statement.isBlank())
                .map(StatementsTest::plan)
                .collect(Collectors.joining());
        assertThat(named).allSatisfy(index -> assertThat(plans).contains(index));
        assertThat(plans).doesNotContain("Seq Scan on staged_jobs ", "Seq Scan on parked_jobs ");
        assertThat(INDEX.matcher(plans)
                        .results()
                        .map(index -> index.group())
                        .filter(index -> index.contains("d_jobs_")))
                .as("indexes of the jobs that it does not name")
                .isSubsetOf(named);
    }

    @Test
    void names_become_positions_and_the_schema_is_put_in() {
        NamedSql sql = NamedSql.load(Schema.named("it's \"ours\""), "record-batch");
        assertThat(sql.sql())
                .isEqualTo(
                        "INSERT INTO \"it's \"\"ours\"\"\".staged_job_batches (lane, batch) VALUES (?, ?); DELETE FROM"
                                + " \"it's \"\"ours\"\"\".staged_job_batches WHERE lane = ? AND batch = ? - 1");
        assertThat(sql.bindings(Map.of("lane", 3, "batch", 7L))).containsExactly(3, 7L, 3, 7L);
        assertThat(NamedSql.load(Schema.named("it's \"ours\""), "writers").sql())
                .contains("= '\"it''s \"\"ours\"\"\".\"staged_jobs\"'::regclass");
    }
}
