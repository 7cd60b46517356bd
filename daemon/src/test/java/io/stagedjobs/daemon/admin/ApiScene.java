package io.stagedjobs.daemon.admin;

import static java.nio.charset.StandardCharsets.UTF_8;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.daemon.outbox.PostgresOutbox;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.diagnosis.Diagnosis;
import io.stagedjobs.enqueuer.diagnosis.Finding;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import io.stagedjobs.enqueuer.kafka.KafkaProperties;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/** An outbox in a real PostgreSQL, with an admin server over it and no enqueuer. */
final class ApiScene implements AutoCloseable {

    static final String OPERATOR = "the-secret-of-the-operator";
    static final String READER = "the-secret-of-the-reader";
    static final Tokens BOTH = new Tokens(() -> Optional.of(OPERATOR), () -> Optional.of(READER));

    static final JsonMapper JSON = new JsonMapper();
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    final TestOutbox outbox;
    final Settings settings;
    final Health health = new Health();
    final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    AdminServer server;
    final int port;

    /** What the doctor answers. */
    volatile Supplier<Object> doctor =
            () -> new Diagnosis("no enqueuer lives", List.of(new Finding("privileges", Verdict.OK, "all", "")));

    private final Tokens tokens;
    private final AdminServer.Budgets budgets;
    private final ListAppender<ILoggingEvent> audit = new ListAppender<>();

    /** Without limits to how many requests a client may make. */
    ApiScene(Tokens tokens) throws IOException {
        this(tokens, new AdminServer.Budgets(endless(), endless()));
    }

    ApiScene(Tokens tokens, AdminServer.Budgets budgets) throws IOException {
        this(tokens, budgets, null);
    }

    /** @param kafka null where no broker is needed */
    @SuppressWarnings("NullAway")
    ApiScene(Tokens tokens, AdminServer.Budgets budgets, @Nullable TestKafka kafka) throws IOException {
        this.tokens = tokens;
        this.budgets = budgets;
        outbox = new TestOutbox(TestPostgres.shared(), kafka, "api");
        Map<String, String> environment = new HashMap<>(Map.of(
                "STAGED_JOBS_DATABASE_URL", outbox.database.url(),
                "STAGED_JOBS_DATABASE_USERNAME", outbox.database.username(),
                "STAGED_JOBS_DATABASE_PASSWORD", outbox.database.password()));
        if (kafka == null) {
            environment.put("STAGED_JOBS_TAKEOVER_AFTER", "10m"); // an enqueuer is a row without a heartbeat then
        } else {
            environment.put("STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrapServers());
        }
        settings = Settings.read(Map.of(), environment, KafkaProperties.PASSTHROUGH);
        server = open(0);
        port = server.port();
        audit.start();
        auditLog().addAppender(audit);
    }

    private AdminServer open(int port) throws IOException {
        AdminServer opened = new AdminServer(
                new Binding("127.0.0.1", port, tokens),
                health,
                registry,
                new PostgresOutbox(settings, Duration.ofSeconds(20)),
                () -> doctor.get(),
                budgets);
        opened.start();
        return opened;
    }

    /** On the same port, after it was closed. */
    void openAgain() throws IOException {
        server = open(port);
    }

    private static RequestBudget endless() {
        return new RequestBudget(1e9, 1e9, System::nanoTime);
    }

    private static Logger auditLog() {
        return (Logger) LoggerFactory.getLogger("io.stagedjobs.audit");
    }

    List<String> audited() {
        return List.copyOf(audit.list).stream()
                .map(ILoggingEvent::getFormattedMessage)
                .toList();
    }

    /** One row each, in all lanes, with ids from {@code first}. */
    void moveAside(String state, String topic, String reason, int first, int jobs) {
        outbox.dsl()
                .execute(
                        "INSERT INTO parked_jobs (lane, id, job_id, topic, job_key, job_name, payload, headers,"
                                + " staged_at, state, reason, error) SELECT n % 8, n, gen_random_uuid(), ?, 'k' || n,"
                                + " 'order.placed', convert_to('{\"n\":' || n || '}', 'UTF8'), '{\"h\":\"v\"}',"
                                + " clock_timestamp(), ?, ?, 'the broker said no' FROM generate_series(?, ?) AS n",
                        topic, state, reason, first, first + jobs - 1);
    }

    HttpResponse<String> send(String verb, String path, @Nullable String body, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.port() + path))
                .timeout(Duration.ofSeconds(60))
                .method(
                        verb,
                        body == null
                                ? HttpRequest.BodyPublishers.noBody()
                                : HttpRequest.BodyPublishers.ofString(body, UTF_8));
        for (int i = 0; i < headers.length; i += 2) {
            request.setHeader(headers[i], headers[i + 1]);
        }
        return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString(UTF_8));
    }

    HttpResponse<String> get(String path, String... headers) throws Exception {
        return send("GET", path, null, headers);
    }

    HttpResponse<String> post(String path, String body) throws Exception {
        return send("POST", path, body, "Content-Type", "application/json");
    }

    JsonNode json(HttpResponse<String> answer) throws IOException {
        return JSON.readTree(answer.body());
    }

    /** Status line, headers and body of a request as it is written, on a connection of its own. */
    String raw(String request) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", server.port())) {
            socket.setSoTimeout(60_000);
            socket.getOutputStream().write(request.getBytes(UTF_8));
            return new String(socket.getInputStream().readAllBytes(), UTF_8);
        }
    }

    /** Everything that a change through the API could change. */
    String fingerprint() {
        StringBuilder all = new StringBuilder();
        for (String table : List.of("staged_jobs", "parked_jobs", "staged_job_pauses", "staged_job_lanes")) {
            all.append(outbox.dsl()
                    .fetchSingle("SELECT coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM " + table
                            + " AS t")
                    .get(0, String.class));
        }
        return all.toString();
    }

    @Override
    public void close() throws Exception {
        auditLog().detachAppender(audit);
        server.close();
        outbox.close();
    }
}
