package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.daemon.admin.AdminServer;
import io.stagedjobs.daemon.admin.Binding;
import io.stagedjobs.daemon.admin.Tokens;
import io.stagedjobs.daemon.outbox.PostgresOutbox;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.kafka.KafkaProperties;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** {@code /api/v1/status} of many who ask at once, while somebody keeps the answer waiting. */
class StatusOverHttpTest {

    private static final int MANY = 250;
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private TestOutbox outbox;
    private AdminServer admin;

    @BeforeEach
    void open() throws Exception {
        outbox = new TestOutbox("status");
        Settings settings = Settings.read(Map.of(), Command.environment(outbox), KafkaProperties.PASSTHROUGH);
        admin = outbox.keep(new AdminServer(
                new Binding("127.0.0.1", 0, Tokens.NONE),
                new Health(),
                new PrometheusMeterRegistry(PrometheusConfig.DEFAULT),
                new PostgresOutbox(settings, Duration.ofSeconds(20)),
                Map::of));
        admin.start();
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private CompletableFuture<HttpResponse<String>> ask(String path) {
        return HTTP.sendAsync(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + admin.port() + path))
                        .timeout(Duration.ofSeconds(60))
                        .build(),
                HttpResponse.BodyHandlers.ofString(UTF_8));
    }

    private long sessions(String condition) {
        return outbox.dsl()
                .fetchSingle("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        + " AND application_name = 'staged-jobs' AND " + condition)
                .get(0, long.class);
    }

    private void awaitReadingThatWaits() throws Exception {
        Eventually.until("the status waits for the lock", () -> sessions("wait_event_type = 'Lock'") == 1);
    }

    @Test
    void however_many_ask_at_once_one_connection_reads_for_all_of_them_and_health_answers_meanwhile() throws Exception {
        outbox.stage("t", "k", "waits");
        List<CompletableFuture<HttpResponse<String>>> answers;
        try (Connection operator = outbox.transaction();
                Statement lock = operator.createStatement()) {
            lock.execute("LOCK TABLE staged_jobs");
            CompletableFuture<HttpResponse<String>> first = ask("/api/v1/status");
            awaitReadingThatWaits();
            answers = IntStream.range(0, MANY)
                    .mapToObj(i -> ask("/api/v1/status"))
                    .toList();
            assertThat(ask("/health/live").get().statusCode()).isEqualTo(200);
            assertThat(sessions("query LIKE '%staged_job_lanes%'")).isEqualTo(1);
            assertThat(first).isNotDone();
        }
        for (CompletableFuture<HttpResponse<String>> answer : answers) {
            assertThat(answer.get().statusCode()).isEqualTo(200);
            assertThat(answer.get().body()).contains("\"backlog\":1");
        }
        Eventually.until("its connection is closed", () -> sessions("true") == 0);
    }

    @Test
    void a_job_that_is_moved_aside_meanwhile_is_counted_once() throws Exception {
        outbox.stage("t", "k", "moves");
        CompletableFuture<HttpResponse<String>> answer;
        try (Connection owner = outbox.transaction();
                Statement statement = owner.createStatement()) {
            statement.execute("LOCK TABLE parked_jobs");
            answer = ask("/api/v1/status");
            awaitReadingThatWaits();
            statement.execute("WITH gone AS (DELETE FROM staged_jobs RETURNING *) INSERT INTO parked_jobs"
                    + " (lane, id, job_id, topic, job_key, job_name, staged_at, state, reason)"
                    + " SELECT lane, id, job_id, topic, job_key, job_name, staged_at, 'held', 'topic"
                    + " missing' FROM gone");
            owner.commit();
        }
        assertThat(answer.get().body()).contains("\"backlog\":1", "\"aside\":[]");
    }

    @Test
    void a_table_that_stays_locked_is_told_after_seconds() throws Exception {
        try (Connection operator = outbox.transaction();
                Statement lock = operator.createStatement()) {
            lock.execute("LOCK TABLE staged_jobs");
            HttpResponse<String> answer = ask("/api/v1/status").get();
            assertThat(answer.statusCode()).isEqualTo(503);
            assertThat(answer.body()).contains("could not read the status (SQLSTATE 55P03)");
        }
    }
}
