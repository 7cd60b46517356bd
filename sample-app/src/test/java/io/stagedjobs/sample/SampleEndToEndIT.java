package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** From a request over the real enqueuer to the consumer. */
class SampleEndToEndIT {

    private static final String KAFKA = TestKafka.shared().bootstrapServers();

    private final List<String> arrivals = new CopyOnWriteArrayList<>();
    private SampleTables tables;
    private Topics topics;
    private SampleApp app;
    private SampleClient client;

    @BeforeEach
    void start() {
        tables = SampleTables.createIn(TestPostgres.shared());
        topics = new Topics("end-to-end-" + UUID.randomUUID() + "-");
        topics.all().forEach(topic -> TestKafka.shared().createTopic(topic, 3));
        SampleSettings settings = SampleSettings.of(
                "--database-url=" + tables.database.url(),
                "--database-username=" + tables.database.username(),
                "--database-password=" + tables.database.password(),
                "--kafka=" + KAFKA,
                "--http-port=0",
                "--failures-allowed");
        app = SampleApp.start(settings, topics, job -> arrivals.add(job.line()), List.of());
        client = new SampleClient(app.url());
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

        awaitArrivals(2);
        assertThat(arrivals)
                .allMatch(line -> line.matches(topics.users() + " key=\\d+ user\\.created [0-9a-f-]{36} \\{.*\\}"))
                .anyMatch(line -> line.contains("ada@example.org"))
                .anyMatch(line -> line.contains("cleo@example.org"));
    }

    @Test
    void a_completed_order_and_its_new_buyer_arrive_once_though_the_request_came_twice() throws Exception {
        client.sendBody("PUT", "/orders/o-1", "{\"amountCents\": 1250}");
        String request = "{\"email\": \"ada@example.org\"}";
        client.sendBody("POST", "/orders/o-1/complete", request, "Idempotency-Key", "k");
        client.sendBody("POST", "/orders/o-1/complete", request, "Idempotency-Key", "k");

        Launcher.drain(tables, KAFKA);

        awaitArrivals(2);
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

        awaitArrivals(4);
        assertThat(arrivals)
                .filteredOn(line -> line.startsWith(topics.contracts() + " "))
                .hasSize(2)
                .allMatch(line -> line.matches(".* key=C-[12] contract\\.aggregated .*"));
        assertThat(client.send("GET", "/contracts/C-1").statusCode()).isEqualTo(200);
    }

    private void awaitArrivals(int count) throws Exception {
        Eventually.until(count + " jobs have arrived", () -> arrivals.size() >= count);
        assertThat(arrivals).hasSize(count);
    }
}
