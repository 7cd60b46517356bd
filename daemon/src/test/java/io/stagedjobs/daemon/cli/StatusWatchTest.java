package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Eventually;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** {@code status --watch}: on a terminal, in a pipe and for a program. */
class StatusWatchTest {

    private static final String HALTED = "Kafka holds \u001b[2Jbatch\u202e 7\nnot ours";

    private static TestOutbox outbox;
    private static Map<String, String> environment;

    @BeforeAll
    static void open() {
        outbox = new TestOutbox("watch");
        environment = Command.with(
                Command.environment(outbox),
                "STAGED_JOBS_TAKEOVER_AFTER",
                "10m", // the enqueuer below does not write heartbeats
                "STAGED_JOBS_HEARTBEAT_INTERVAL",
                "2s");
        UUID enqueuer = UUID.randomUUID();
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_job_enqueuers (enqueuer, name, delivery, problems) VALUES (?::uuid,"
                                + " E'evil\\x1b[31m name', 'exactly-once', jsonb_build_array(jsonb_build_object("
                                + "'place', 'lane 3', 'reason', ?::text, 'since', clock_timestamp())))",
                        enqueuer.toString(),
                        HALTED);
        outbox.dsl().execute("UPDATE staged_job_lanes SET owner = ?::uuid, generation = 1", enqueuer.toString());
    }

    @AfterAll
    static void close() throws Exception {
        outbox.close();
    }

    @BeforeEach
    void stageThousandJobs() {
        outbox.dsl().execute("DELETE FROM staged_jobs");
        outbox.dsl()
                .execute("INSERT INTO staged_jobs (topic, job_key, job_name)"
                        + " SELECT 'watched', n::text, 'n' FROM generate_series(1, 1000) AS n");
    }

    private static Terminal screen(int columns, int rows) {
        return new Terminal(true, true, true, () -> new Terminal.Size(columns, rows));
    }

    @Test
    void on_a_terminal_a_screen_shows_where_the_backlog_is_heading_and_the_end_restores_the_terminal()
            throws Exception {
        try (Command.Running watch = new Command.Running(environment, screen(120, 60), "status", "--watch", "200ms")) {
            watch.await("1000 jobs waiting");
            watch.await("the backlog stays as it is");
            outbox.dsl().execute("DELETE FROM staged_jobs WHERE job_key::int <= 600");
            watch.await("the backlog shrinks by");
            assertThat(watch.out())
                    .startsWith(Screen.OPEN)
                    .contains("400 jobs waiting", "nothing will wait in about", "jobs/s over the last");
            assertThat(watch.stop()).isZero();
            assertThat(watch.out()).endsWith(Screen.CLOSE);
        }
    }

    @Test
    void names_and_errors_of_others_control_no_screen() throws Exception {
        try (Command.Running watch = new Command.Running(environment, screen(200, 60), "status", "--watch", "200ms")) {
            watch.await("lane 3 is halted: Kafka holds \\u001b[2Jbatch\\u202e 7\\u000anot ours");
            assertThat(watch.stop()).isZero();
            assertThat(watch.out()).contains("evil\\u001b[31m name").doesNotContain("\u202e");
            assertThat(watch.out().replaceAll("\u001b\\[(\\?\\d+[hl]|[HJK]|[0-9]*m)", ""))
                    .doesNotContain("\u001b");
            assertThat(watch.out()).doesNotContain("\u001b[2J");
        }
    }

    @Test
    void a_small_window_shows_the_beginning_and_says_how_much_is_missing() throws Exception {
        try (Command.Running watch = new Command.Running(environment, screen(60, 6), "status", "--watch", "200ms")) {
            watch.await("make the window taller");
            assertThat(watch.stop()).isZero();
            assertThat(watch.out().replaceAll("\u001b\\[[?0-9]*[a-zA-Z]", "").lines())
                    .allSatisfy(line -> assertThat(line.length()).isLessThan(2 * 60)); // two frames may share a line
        }
    }

    @Test
    void in_a_pipe_each_reading_is_a_block_of_plain_lines() throws Exception {
        try (Command.Running watch = new Command.Running(environment, Terminal.NONE, "status", "--watch", "200ms")) {
            Eventually.until("there are two blocks", () -> watch.out().split("staged-jobs status of").length > 2);
            assertThat(watch.stop()).isZero();
            assertThat(watch.out()).contains("1000 jobs waiting", "watched").doesNotContain("\u001b");
        }
    }

    @Test
    void for_a_program_each_reading_is_one_document_in_a_line() throws Exception {
        try (Command.Running watch = new Command.Running(environment, Terminal.NONE, "status", "--watch", "--json")) {
            Eventually.until("the doctor has answered", () -> documents(watch.out()).stream()
                    .anyMatch(document -> document.path("why").isTextual()));
            assertThat(watch.stop()).isZero();
            List<JsonNode> documents = documents(watch.out());
            assertThat(documents.get(0).get("backlog").asInt()).isEqualTo(1000);
            assertThat(documents.get(0).get("rates").get("stagedPerSecond").isNull())
                    .isTrue();
            JsonNode last = documents.get(documents.size() - 1);
            assertThat(last.get("why").asText()).contains("lane 3", "halted");
            assertThat(last.get("rates").get("stagedPerSecond").isNumber()).isTrue();
            assertThat(last.get("backlogPerSecond").isNumber()).isTrue();
            assertThat(last.get("lanes").get(3).get("halted").get("reason").asText())
                    .isEqualTo(HALTED);
        }
    }

    private static List<JsonNode> documents(String out) throws Exception {
        List<JsonNode> documents = new ArrayList<>();
        for (String line : out.lines().toList()) {
            if (line.endsWith("}")) {
                documents.add(new JsonMapper().readTree(line));
            }
        }
        return documents;
    }

    @Test
    void a_reading_that_fails_is_shown_and_the_next_one_is_tried() throws Exception {
        try (Command.Running watch =
                new Command.Running(environment, Terminal.NONE, "status", "--watch", "200ms", "--json")) {
            watch.await("\"backlog\":1000");
            outbox.dsl().execute("INSERT INTO staged_jobs_schema (version) VALUES (999)");
            watch.await("\"error\":\"");
            outbox.dsl().execute("DELETE FROM staged_jobs_schema WHERE version = 999");
            outbox.dsl().execute("DELETE FROM staged_jobs WHERE job_key = '1'");
            watch.await("\"backlog\":999");
            assertThat(watch.stop()).isZero();
        } finally {
            outbox.dsl().execute("DELETE FROM staged_jobs_schema WHERE version = 999");
        }
    }

    @Test
    void a_watch_that_cannot_begin_says_why_and_leaves_the_terminal_alone() {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exitCode = Cli.execute(
                List.of("status", "--watch"),
                Command.with(environment, "STAGED_JOBS_DATABASE_URL", "jdbc:postgresql://127.0.0.1:1/nowhere"),
                new PrintWriter(out, true),
                new PrintWriter(err, true),
                screen(80, 24));
        assertThat(exitCode).isEqualTo(1);
        assertThat(out).hasToString("");
        assertThat(err.toString()).contains("could not connect").doesNotContain("\u001b");
    }

    @Test
    void a_reader_that_is_gone_ends_the_watch() throws Exception {
        Writer gone = new Writer() {
            @Override
            public void write(char[] buffer, int offset, int length) throws IOException {
                throw new IOException("Broken pipe");
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        int exitCode = Cli.execute(
                List.of("status", "--watch", "200ms"),
                environment,
                new PrintWriter(gone, true),
                new PrintWriter(new StringWriter()),
                Terminal.NONE);
        assertThat(exitCode).isZero();
    }

    @Test
    void a_signal_ends_the_process_with_0_and_restores_the_terminal() {
        List<String> jvm = new ArrayList<>(Command.JVM_ARGS);
        jvm.add("-D" + Terminal.PROPERTY + "=out,err");
        try (ChildProcess watch = ChildJvm.start(
                "watch",
                Cli.class.getName(),
                jvm,
                List.of("status", "--watch", "200ms"),
                Command.with(environment, "TERM", "xterm"))) {
            watch.awaitLine(line -> line.contains("1000 jobs waiting"), Duration.ofSeconds(60));
            watch.terminate();
            assertThat(watch.awaitExit(Duration.ofSeconds(30))).isZero();
            List<String> out = watch.stdout();
            assertThat(out.get(0)).startsWith(Screen.OPEN);
            assertThat(out.get(out.size() - 1)).endsWith(Screen.CLOSE);
        }
    }
}
