package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** From a request over the real enqueuer to the consumer and the auditor. */
class SampleEndToEndIT {

    private static final String KAFKA = TestKafka.shared().bootstrapServers();
    private static final Duration SOON = Duration.ofSeconds(60);

    private final List<String> arrivals = new CopyOnWriteArrayList<>();
    private SampleTables tables;
    private Topics topics;
    private SampleApp app;
    private SampleClient client;
    private Auditor auditor;

    @BeforeEach
    void start() {
        tables = SampleTables.createIn(TestPostgres.shared());
        topics = new Topics("end-to-end-" + UUID.randomUUID() + "-");
        topics.all().forEach(topic -> TestKafka.shared().createTopic(topic, 3));
        Map<String, String> environment = new HashMap<>(Map.of(
                "SAMPLE_DATABASE_URL",
                tables.database.url(),
                "SAMPLE_DATABASE_USERNAME",
                tables.database.username(),
                "SAMPLE_DATABASE_PASSWORD",
                tables.database.password(),
                "SAMPLE_KAFKA_BOOTSTRAP_SERVERS",
                KAFKA,
                "SAMPLE_HTTP_PORT",
                "0",
                "SAMPLE_FAILURES",
                "allowed"));
        app = SampleApp.start(SampleSettings.from(environment), topics, arrivals::add);
        client = new SampleClient(app.url());
        auditor = new Auditor(tables.database.dataSource(), KAFKA, topics.users());
    }

    @AfterEach
    void stop() {
        app.close();
    }

    @Test
    void what_was_committed_arrives_once_and_what_was_rolled_back_never() throws Exception {
        client.put("ada@example.org");
        client.put("bob@example.org", "Sample-Fail", "after-staging");
        client.put("ada@example.org");
        client.put("cleo@example.org");

        Launcher.drain(tables, KAFKA);

        AuditReport report = auditor.audit();
        assertThat(report.passed()).as(report.summary()).isTrue();
        assertThat(report.actions()).isEqualTo(2);
        assertThat(report.records()).isEqualTo(2);
        assertThat(app.printer().awaitHandled(2, SOON)).isEqualTo(2);
        assertThat(arrivals).allMatch(line -> line.matches(topics.users() + " key=\\d+ user\\.created [0-9a-f-]{36}"));
        JsonNode audit = SampleClient.json(client.send("GET", "/audit"));
        assertThat(audit.path("passed").asBoolean()).isTrue();
        assertThat(audit.path("summary").asText()).isEqualTo(report.summary());
    }

    @Test
    void the_audit_misses_a_job_that_somebody_took_away() {
        client.put("ada@example.org");
        client.put("bob@example.org");
        tables.dsl.execute("DELETE FROM staged_jobs WHERE job_key ="
                + " (SELECT id::text FROM users WHERE email = 'bob@example.org')");

        Launcher.drain(tables, KAFKA);

        AuditReport report = auditor.audit();
        assertThat(report.passed()).isFalse();
        assertThat(report.lost()).singleElement().asString().contains("(created, user ");
        assertThat(report.invented()).isEmpty();
        assertThat(SampleClient.json(client.send("GET", "/audit"))
                        .path("passed")
                        .asBoolean(true))
                .isFalse();
    }

    @Test
    void a_completed_order_and_its_new_buyer_arrive_once_though_the_request_came_twice() throws Exception {
        client.sendBody("PUT", "/orders/o-1", "{\"amountCents\": 1250}");
        String request = "{\"email\": \"ada@example.org\"}";
        client.sendBody("POST", "/orders/o-1/complete", request, "Idempotency-Key", "k");
        client.sendBody("POST", "/orders/o-1/complete", request, "Idempotency-Key", "k");

        Launcher.drain(tables, KAFKA);

        assertThat(auditor.audit().passed()).isTrue();
        assertThat(app.printer().awaitHandled(2, SOON)).isEqualTo(2);
        assertThat(arrivals)
                .anyMatch(line -> line.matches(topics.users() + " key=\\d+ user\\.created .*"))
                .anyMatch(line -> line.matches(topics.orders() + " key=o-1 order\\.completed .*"));
    }

    @Test
    void a_list_of_contracts_is_aggregated_in_the_background_and_told() throws Exception {
        client.sendBody("POST", "/contracts/aggregations", "{\"ids\": [\"C-1\", \"C-2\"]}");
        Launcher.drain(tables, KAFKA);
        for (String id : List.of("C-1", "C-2")) {
            Eventually.until(
                    id + " is stored",
                    () -> client.send("GET", "/contracts/" + id).statusCode() == 200);
        }
        Launcher.drain(tables, KAFKA);

        assertThat(app.printer().awaitHandled(4, SOON)).isEqualTo(4);
        assertThat(arrivals)
                .filteredOn(line -> line.startsWith(topics.contracts() + " "))
                .hasSize(2)
                .allMatch(line -> line.matches(".* key=C-[12] contract\\.aggregated .*"));
        assertThat(client.send("GET", "/contracts/C-1").statusCode()).isEqualTo(200);
    }
}
