package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.stagedjobs.sample.Faults.Fault;
import io.stagedjobs.testkit.AtOnce;
import io.stagedjobs.testkit.TestPostgres;
import java.net.http.HttpResponse;
import java.sql.Connection;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.jooq.Record;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class OrderApiTest {

    private static SampleTables tables;
    private static Faults faults;
    private static RunningSample sample;
    private static SampleClient client;

    private final String id = "o-" + UUID.randomUUID();
    private final String email = id + "@example.org";

    @BeforeAll
    static void start() {
        tables = SampleTables.createIn(TestPostgres.shared());
        faults = new Faults(tables.dsl);
        sample = RunningSample.on(tables.database.dataSource());
        client = sample.client;
    }

    @AfterAll
    static void stop() {
        sample.close();
    }

    @AfterEach
    void endFaults() {
        faults.end();
    }

    @Test
    void an_order_is_placed_changed_while_it_is_open_and_looked_up() {
        assertThat(place(1250).statusCode()).isEqualTo(201);
        assertThat(place(1300).statusCode()).isEqualTo(201);

        JsonNode order = SampleClient.json(client.send("GET", "/orders/" + id));
        assertThat(order.path("amountCents").asLong()).isEqualTo(1300);
        assertThat(order.path("buyer").isNull()).isTrue();
        assertThat(client.send("GET", "/orders/unknown").statusCode()).isEqualTo(404);
    }

    @Test
    void completing_an_order_creates_its_buyer_and_stages_a_job_for_each() {
        place(1250);

        HttpResponse<String> response = complete(email);

        assertThat(response.statusCode()).isEqualTo(200);
        JsonNode order = SampleClient.json(response);
        long buyer = order.path("buyer").path("id").asLong();
        assertThat(order.path("buyer").path("email").asText()).isEqualTo(email);
        assertThat(order.path("completedAt").asText()).endsWith("Z");
        assertThat(client.send("GET", "/orders/" + id).body()).isEqualTo(response.body());
        assertThat(tables.actionsOf(email)).isEqualTo(1);
        assertThat(tables.jobsOfKey(Long.toString(buyer))).containsExactly("user.created");
        Record job = tables.dsl.fetchSingle(
                "SELECT topic, job_name, convert_from(payload, 'UTF8') AS payload FROM staged_jobs WHERE job_key = ?",
                id);
        assertThat(job.get("topic")).isEqualTo("orders");
        assertThat(job.get("job_name")).isEqualTo("order.completed");
        assertThat(job.get("payload"))
                .isEqualTo("{\"orderId\":\"%s\",\"amountCents\":1250,\"userId\":%d,\"email\":\"%s\"}"
                        .formatted(id, buyer, email));
    }

    @Test
    void a_buyer_who_exists_is_not_created_again() {
        place(1250);
        client.sendBody("PUT", "/orders/" + id + "-2", "{\"amountCents\": 1}");

        complete(email);
        HttpResponse<String> second =
                client.sendBody("POST", "/orders/" + id + "-2/complete", "{\"email\": \"" + email + "\"}");

        assertThat(second.statusCode()).isEqualTo(200);
        assertThat(tables.usersWith(email)).isEqualTo(1);
        assertThat(tables.jobsOfKey(id + "-2")).containsExactly("order.completed");
    }

    @Test
    void completing_it_again_for_the_same_buyer_is_answered_alike_and_stages_nothing_more() {
        place(1250);
        HttpResponse<String> first = complete(email);
        Map<String, String> before = tables.contents();

        HttpResponse<String> second = complete(email);

        assertThat(second.statusCode()).isEqualTo(200);
        assertThat(second.body()).isEqualTo(first.body());
        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void an_order_that_somebody_else_has_completed_is_a_conflict_and_creates_no_user() {
        place(1250);
        complete(email);
        Map<String, String> before = tables.contents();

        HttpResponse<String> other = complete("other-" + email);

        assertThat(other.statusCode()).isEqualTo(409);
        assertThat(SampleClient.error(other)).contains("somebody else").contains("no user was created");
        assertThat(place(1300).statusCode()).isEqualTo(409);
        assertThat(place(1250).statusCode()).isEqualTo(201);
        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void an_order_that_was_never_placed_is_not_found_and_creates_no_user_and_keeps_no_key() {
        Map<String, String> before = tables.contents();

        HttpResponse<String> response = complete(email, "Idempotency-Key", id);

        assertThat(response.statusCode()).isEqualTo(404);
        assertThat(SampleClient.error(response)).contains("Place it with PUT /orders/" + id);
        assertThat(tables.contents()).isEqualTo(before);
    }

    static Stream<Arguments> steps_and_faults() {
        return Stream.of(
                        "INSERT ON users",
                        "INSERT ON user_actions",
                        "UPDATE ON orders",
                        "INSERT ON staged_jobs",
                        "INSERT ON staged_job_idempotency_keys",
                        "UPDATE ON staged_job_idempotency_keys",
                        Faults.COMMIT)
                .flatMap(step -> Stream.of(Fault.values()).map(fault -> Arguments.of(step, fault)));
    }

    @ParameterizedTest
    @MethodSource("steps_and_faults")
    void whatever_step_fails_nothing_is_kept_and_the_same_request_works_afterwards(String step, Fault fault) {
        place(1250);
        Map<String, String> before = tables.contents();
        faults.at(step, fault, fault == Fault.CONFLICT ? 2 : Integer.MAX_VALUE);

        HttpResponse<String> response = complete(email, "Idempotency-Key", id);

        assertThat(faults.attempts()).isPositive();
        switch (fault) {
            case ERROR -> assertThat(response.statusCode()).isEqualTo(500);
            case LOST_CONNECTION -> assertThat(response.statusCode()).isEqualTo(503);
            case CONFLICT -> assertThat(response.statusCode()).isEqualTo(200);
        }
        if (fault != Fault.CONFLICT) {
            assertThat(response.body()).doesNotContain("secret");
            assertThat(tables.contents()).isEqualTo(before);
        }
        faults.end();
        assertThat(complete(email, "Idempotency-Key", id).statusCode()).isEqualTo(200);
        assertThat(tables.usersWith(email)).isEqualTo(1);
        assertThat(tables.actionsOf(email)).isEqualTo(1);
        assertThat(tables.jobsFor(email)).isEqualTo(2);
        assertThat(tables.jobsOfKey(id)).containsExactly("order.completed");
    }

    @Test
    void a_retry_with_its_key_gets_the_first_answer_though_things_have_changed_meanwhile() {
        place(1250);
        HttpResponse<String> first = complete(email, "Idempotency-Key", id);
        tables.dsl.execute("UPDATE users SET name = 'Ada' WHERE email = ?", email);
        Map<String, String> before = tables.contents();

        HttpResponse<String> retry = complete(email, "Idempotency-Key", id);

        assertThat(retry.statusCode()).isEqualTo(200);
        assertThat(retry.body()).isEqualTo(first.body());
        assertThat(retry.headers().firstValue("Content-Type"))
                .isEqualTo(first.headers().firstValue("Content-Type"));
        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void another_request_under_the_same_key_is_refused() {
        place(1250);
        complete(email, "Idempotency-Key", id);
        Map<String, String> before = tables.contents();

        HttpResponse<String> other = complete("other-" + email, "Idempotency-Key", id);

        assertThat(other.statusCode()).isEqualTo(422);
        assertThat(SampleClient.error(other)).contains("with another request").contains("key of its own");
        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void while_the_first_request_is_at_work_its_key_is_in_progress_and_then_it_answers_all() throws Exception {
        place(1250);
        CompletableFuture<HttpResponse<String>> first;
        try (Connection other = tables.database.connect()) {
            other.setAutoCommit(false);
            other.createStatement().execute("SELECT * FROM orders WHERE id = '" + id + "' FOR UPDATE");
            first = CompletableFuture.supplyAsync(() -> complete(email, "Idempotency-Key", id));
            tables.awaitOneThatWaitsForALock();

            HttpResponse<String> second = complete(email, "Idempotency-Key", id);

            assertThat(second.statusCode()).isEqualTo(409);
            assertThat(second.headers().firstValue("Retry-After")).hasValue("1");
            assertThat(first).isNotDone();
            other.rollback();
        }
        assertThat(first.get().statusCode()).isEqualTo(200);
        assertThat(complete(email, "Idempotency-Key", id).body())
                .isEqualTo(first.get().body());
        assertThat(tables.jobsOfKey(id)).containsExactly("order.completed");
    }

    @Test
    void twenty_requests_at_once_for_one_order_complete_it_once() throws Exception {
        place(1250);

        List<HttpResponse<String>> responses = AtOnce.call(20, i -> complete(email));

        assertThat(responses).extracting(HttpResponse::statusCode).containsOnly(200);
        assertThat(responses)
                .extracting(HttpResponse::body)
                .containsOnly(responses.get(0).body());
        assertThat(tables.usersWith(email)).isEqualTo(1);
        assertThat(tables.jobsOfKey(id)).containsExactly("order.completed");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "PUT  | /orders/x          |                                   | not the JSON",
                "PUT  | /orders/x          | null                              | not the JSON",
                "PUT  | /orders/x          | {}                                | not the JSON",
                "PUT  | /orders/x          | {\"amountCents\": 1.5}            | not the JSON",
                "PUT  | /orders/x          | {\"amountCents\": \"1\"}          | not the JSON",
                "PUT  | /orders/x          | {\"amountCents\": 1, \"more\": 1} | not the JSON",
                "PUT  | /orders/x          | {\"amountCents\": -1}             | negative",
                "PUT  | /orders/x%20y      | {\"amountCents\": 1}              | an id has 1 to 64",
                "PUT  | /orders/-x         | {\"amountCents\": 1}              | an id has 1 to 64",
                "POST | /orders/x/complete | {\"email\": null}                 | got nothing",
                "POST | /orders/x/complete | {\"email\": \"nobody\"}           | has no @",
                "POST | /orders/x/complete | {\"email\": \"a\\u0000@b.org\"}   | NUL",
                "POST | /orders/x/complete | {\"email\": \"a\\ud800@b.org\"}   | not valid UTF-8",
            })
    void a_wrong_request_is_refused_with_the_reason_and_how_to_ask(
            String method, String target, String body, String reason) {
        Map<String, String> before = tables.contents();

        HttpResponse<String> response = client.sendBody(method, target, body == null ? "" : body);

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(SampleClient.error(response)).contains(reason, "Nothing was kept. Send " + method + " /orders/ID");
        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void a_key_that_is_empty_or_too_long_is_refused() {
        place(1250);
        Map<String, String> before = tables.contents();

        for (String key : List.of("", "k".repeat(256))) {
            HttpResponse<String> response = complete(email, "Idempotency-Key", key);

            assertThat(response.statusCode()).isEqualTo(400);
            assertThat(SampleClient.error(response)).contains("1 to 255 characters");
        }
        assertThat(tables.contents()).isEqualTo(before);
    }

    private HttpResponse<String> place(long amountCents) {
        return client.sendBody("PUT", "/orders/" + id, "{\"amountCents\": " + amountCents + "}");
    }

    private HttpResponse<String> complete(String buyer, String... headers) {
        return client.sendBody("POST", "/orders/" + id + "/complete", "{\"email\": \"" + buyer + "\"}", headers);
    }
}
