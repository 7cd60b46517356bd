package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.stagedjobs.sample.Faults.Fault;
import io.stagedjobs.sample.upstream.ContractService;
import io.stagedjobs.sample.upstream.ContractService.Call;
import io.stagedjobs.sample.upstream.ContractService.Trouble;
import io.stagedjobs.testkit.TestPostgres;
import java.net.URI;
import java.net.http.HttpResponse;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jooq.Record;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Over HTTP on both sides, with a single connection to the database: whoever held it while fetching would stop
 * everybody.
 */
class ContractApiTest {

    private static final Duration PATIENT = Duration.ofSeconds(60);
    private static final Duration IMPATIENT = Duration.ofMillis(300);

    private static SampleTables tables;
    private static Faults faults;
    private static HikariDataSource pool;
    private static BlockingQueue<Call> calls;
    private static ContractService upstream;
    private static RunningSample sample;
    private static RunningSample impatient;

    private final String id = "c-" + UUID.randomUUID();
    private final String headerPath = "/contracts/" + id;
    private final String itemsPath = headerPath + "/items";

    @BeforeAll
    static void start() {
        tables = SampleTables.createIn(TestPostgres.shared());
        faults = new Faults(tables.dsl);
        HikariConfig config = new HikariConfig();
        config.setDataSource(tables.database.dataSource());
        config.setMaximumPoolSize(1);
        pool = new HikariDataSource(config);
        calls = new LinkedBlockingQueue<>();
        upstream = new ContractService(0, calls::add);
        sample = sampleThatWaits(URI.create(upstream.url()), PATIENT);
        impatient = sampleThatWaits(URI.create(upstream.url()), IMPATIENT);
    }

    @AfterAll
    static void stop() {
        upstream.close();
        sample.close();
        impatient.close();
        pool.close();
    }

    private static RunningSample sampleThatWaits(URI source, Duration timeout) {
        return RunningSample.on(pool, new ContractSource(source, timeout));
    }

    @BeforeEach
    void putContract() {
        putHeader("Ada");
        upstream.put(itemsPath, """
                [{"position": 2, "description": "Second", "amountCents": -50, "unknown": true},
                 {"position": 1, "description": "First", "amountCents": 1000}]
                """);
        calls.clear();
    }

    @AfterEach
    void endFaults() {
        faults.end();
        upstream.trouble(headerPath, Trouble.NONE);
        upstream.trouble(itemsPath, Trouble.NONE);
    }

    @Test
    void header_and_items_are_stored_together_with_their_job() {
        HttpResponse<String> response = aggregate();

        assertThat(response.statusCode()).isEqualTo(200);
        JsonNode contract = SampleClient.json(response);
        assertThat(contract.path("customer").asText()).isEqualTo("Ada");
        assertThat(contract.path("totalCents").asLong()).isEqualTo(950);
        assertThat(contract.path("items"))
                .extracting(item -> item.path("description").asText())
                .containsExactly("First", "Second");
        assertThat(stored().body()).isEqualTo(response.body());
        Record job = tables.dsl.fetchSingle(
                "SELECT topic, job_name, convert_from(payload, 'UTF8') AS payload FROM staged_jobs WHERE job_key = ?",
                id);
        assertThat(job.get("topic")).isEqualTo("contracts");
        assertThat(job.get("job_name")).isEqualTo("contract.aggregated");
        assertThat(job.get("payload"))
                .isEqualTo(("{\"contractId\":\"%s\",\"customer\":\"Ada\",\"currency\":\"EUR\",\"items\":2,"
                                + "\"totalCents\":950}")
                        .formatted(id));
    }

    @Test
    void an_empty_list_of_items_is_valid() {
        upstream.put(itemsPath, "[]");

        HttpResponse<String> response = aggregate();

        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(SampleClient.json(response).path("items")).isEmpty();
        assertThat(tables.jobsOfKey(id)).containsExactly("contract.aggregated");
    }

    @Test
    void repeating_it_asks_only_for_news_and_changes_nothing() {
        HttpResponse<String> first = aggregate();
        Map<String, String> before = tables.contents();
        calls.clear();

        HttpResponse<String> second = aggregate();

        assertThat(second.statusCode()).isEqualTo(200);
        assertThat(second.body()).isEqualTo(first.body());
        assertThat(tables.contents()).isEqualTo(before);
        List<Call> repeated = drainCalls();
        assertThat(repeated).extracting(Call::path).containsExactly(headerPath, itemsPath);
        SampleClient direct = new SampleClient(upstream.url());
        for (Call call : repeated) {
            HttpResponse<String> answer = direct.send("GET", call.path(), "If-None-Match", call.ifNoneMatch());
            assertThat(answer.statusCode()).isEqualTo(304);
            assertThat(answer.body()).isEmpty();
        }
    }

    @Test
    void what_changed_is_stored_beside_what_did_not_and_told_again() {
        aggregate();
        putHeader("Grace");

        HttpResponse<String> changedHeader = aggregate();
        upstream.put(itemsPath, "[{\"position\": 1, \"description\": \"Only\", \"amountCents\": 7}]");
        HttpResponse<String> changedItems = aggregate();

        assertThat(SampleClient.json(changedHeader).path("customer").asText()).isEqualTo("Grace");
        assertThat(SampleClient.json(changedHeader).path("items")).hasSize(2);
        assertThat(SampleClient.json(changedItems).path("customer").asText()).isEqualTo("Grace");
        assertThat(SampleClient.json(changedItems).path("items")).hasSize(1);
        assertThat(stored().body()).isEqualTo(changedItems.body());
        assertThat(tables.jobsOfKey(id))
                .containsExactly("contract.aggregated", "contract.aggregated", "contract.aggregated");
    }

    @ParameterizedTest
    @CsvSource({
        "header, MISSING, 400, there is no header",
        "header, INVALID, 400, the header is not the JSON",
        "header, FAILING, 500, answered 500 for the header",
        "header, SILENT,  504, did not send the header within 300 ms",
        "header, STALLED, 504, did not send the header within 300 ms",
        "items,  MISSING, 400, there is no list of items",
        "items,  INVALID, 400, the list of items is not the JSON",
        "items,  FAILING, 500, answered 500 for the list of items",
        "items,  SILENT,  504, did not send the list of items within 300 ms",
        "items,  STALLED, 504, did not send the list of items within 300 ms",
    })
    void whatever_the_other_service_does_wrong_nothing_is_stored_and_it_works_once_that_is_over(
            String part, Trouble trouble, int status, String reason) {
        upstream.trouble(part.equals("items") ? itemsPath : headerPath, trouble);
        Map<String, String> before = tables.contents();

        HttpResponse<String> first = aggregateWith(impatient);

        assertThat(first.statusCode()).isEqualTo(status);
        assertThat(SampleClient.error(first)).contains(id, reason, "Nothing was stored", "end the same request again");
        assertThat(tables.contents()).isEqualTo(before);
        endFaults();
        assertThat(aggregate().statusCode()).isEqualTo(200);
        assertThat(tables.jobsOfKey(id)).containsExactly("contract.aggregated");
    }

    @ParameterizedTest
    @CsvSource({"header, FAILING", "items, FAILING", "items, MISSING", "items, INVALID"})
    void what_was_stored_before_stays_when_a_later_aggregation_fails(String part, Trouble trouble) {
        aggregate();
        putHeader("Grace");
        upstream.trouble(part.equals("items") ? itemsPath : headerPath, trouble);
        Map<String, String> before = tables.contents();

        assertThat(aggregate().statusCode()).isGreaterThanOrEqualTo(400);

        assertThat(tables.contents()).isEqualTo(before);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "header | {\"id\": \"other\", \"customer\": \"A\", \"currency\": \"EUR\"}      | of another contract",
                "header | {\"id\": \"ID\", \"customer\": \" \", \"currency\": \"EUR\"}         | the customer, got"
                        + " nothing",
                "header | {\"id\": \"ID\", \"customer\": null, \"currency\": \"EUR\"}          | the customer, got"
                        + " nothing",
                "header | {\"id\": \"ID\", \"customer\": \"A\\u0000\", \"currency\": \"EUR\"}  | the customer"
                        + " contains NUL",
                "header | {\"id\": \"ID\", \"customer\": \"A\", \"currency\": \"euro\"}        | three capital letters",
                "header | {\"id\": \"ID\", \"customer\": \"A\"}                                | the header is not"
                        + " the JSON",
                "header | null                                                                 | the header is not"
                        + " the JSON",
                "items  | {}                                                                   | the list of items"
                        + " is not the JSON",
                "items  | [null]                                                               | an item is null",
                "items  | [{\"position\": 0, \"description\": \"A\", \"amountCents\": 1}]      | no position from 1 on",
                "items  | [{\"position\": 1, \"description\": null, \"amountCents\": 1}]       | description of"
                        + " item 1, got",
                "items  | [{\"position\": 1, \"description\": \"A\", \"amountCents\": 1.5}]    | the list of items"
                        + " is not the JSON",
                "items  | [{\"position\": 1, \"description\": \"A\", \"amountCents\": 1e300}]  | the list of items"
                        + " is not the JSON",
                "items  | [{\"position\": 1, \"description\": \"A\", \"amountCents\": 9000000000000000000}] | beyond",
                "items  | [{\"position\": 1, \"description\": \"A\"}]                          | the list of items"
                        + " is not the JSON",
                "items  | [{\"position\": 1, \"description\": \"A\", \"amountCents\": 1}, {\"position\": 1,"
                        + " \"description\": \"B\", \"amountCents\": 1}] | there twice",
            })
    void data_that_is_not_valid_is_refused_with_the_reason_and_nothing_is_stored(
            String part, String json, String reason) {
        upstream.put(part.equals("items") ? itemsPath : headerPath, json.replace("ID", id));
        Map<String, String> before = tables.contents();

        HttpResponse<String> response = aggregate();

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(SampleClient.error(response)).contains(id, reason, "Nothing was stored");
        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void a_service_that_is_not_there_answers_500() {
        try (RunningSample alone = sampleThatWaits(URI.create("http://127.0.0.1:1"), PATIENT)) {
            HttpResponse<String> response = aggregateWith(alone);

            assertThat(response.statusCode()).isEqualTo(500);
            assertThat(SampleClient.error(response))
                    .contains("could not be asked for the header", "Nothing was stored");
        }
    }

    static Stream<Arguments> steps_and_faults() {
        return Stream.of(
                        "INSERT ON contracts",
                        "UPDATE ON contracts",
                        "DELETE ON contract_items",
                        "INSERT ON contract_items",
                        "INSERT ON staged_jobs",
                        Faults.COMMIT)
                .flatMap(step -> Stream.of(Fault.values()).map(fault -> Arguments.of(step, fault)));
    }

    @ParameterizedTest
    @MethodSource("steps_and_faults")
    void whatever_step_of_storing_fails_the_other_service_is_asked_once_and_all_or_nothing_is_stored(
            String step, Fault fault) {
        if (!step.equals("INSERT ON contracts")) {
            aggregate();
        }
        putHeader("Grace");
        upstream.put(itemsPath, "[{\"position\": 1, \"description\": \"Only\", \"amountCents\": 7}]");
        calls.clear();
        Map<String, String> before = tables.contents();
        faults.at(step, fault, fault == Fault.CONFLICT ? 3 : Integer.MAX_VALUE);

        HttpResponse<String> response = aggregate();

        if (fault == Fault.CONFLICT) {
            assertThat(faults.attempts()).isGreaterThan(3);
        } else {
            assertThat(faults.attempts()).isEqualTo(1);
        }
        assertThat(drainCalls()).extracting(Call::path).containsExactly(headerPath, itemsPath);
        switch (fault) {
            case ERROR -> assertThat(response.statusCode()).isEqualTo(500);
            case LOST_CONNECTION -> assertThat(response.statusCode()).isEqualTo(503);
            case CONFLICT -> assertThat(response.statusCode()).isEqualTo(200);
        }
        if (fault != Fault.CONFLICT) {
            assertThat(tables.contents()).isEqualTo(before);
        }
        faults.end();
        assertThat(aggregate().statusCode()).isEqualTo(200);
        assertThat(SampleClient.json(stored()).path("items")).hasSize(1);
        assertThat(SampleClient.json(stored()).path("customer").asText()).isEqualTo("Grace");
    }

    @Test
    void a_real_serialization_conflict_after_the_fetch_repeats_only_the_transaction() throws Exception {
        aggregate();
        putHeader("Grace");
        calls.clear();
        CompletableFuture<HttpResponse<String>> response;
        try (Connection other = tables.database.connect()) {
            other.setAutoCommit(false);
            other.createStatement().execute("UPDATE contracts SET customer = customer WHERE id = '" + id + "'");
            response = CompletableFuture.supplyAsync(this::aggregate);
            tables.awaitOneThatWaitsForALock();
            other.commit(); // the one that waited may not write above a row it cannot see
        }

        assertThat(response.get().statusCode()).isEqualTo(200);
        assertThat(SampleClient.json(stored()).path("customer").asText()).isEqualTo("Grace");
        assertThat(drainCalls()).extracting(Call::path).containsExactly(headerPath, itemsPath);
        assertThat(tables.jobsOfKey(id)).containsExactly("contract.aggregated", "contract.aggregated");
    }

    @Test
    void no_connection_is_held_while_the_other_service_is_waited_for() throws Exception {
        upstream.trouble(headerPath, Trouble.SILENT);
        List<CompletableFuture<HttpResponse<String>>> waiting = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            waiting.add(CompletableFuture.supplyAsync(this::aggregate, task -> new Thread(task).start()));
            assertThat(calls.poll(PATIENT.toSeconds(), TimeUnit.SECONDS)).isNotNull();
        }

        assertThat(sample.client.put(id + "@example.org").statusCode()).isEqualTo(201);
        assertThat(pool.getHikariPoolMXBean().getActiveConnections()).isZero();
        assertThat(waiting).noneMatch(CompletableFuture::isDone);

        upstream.trouble(headerPath, Trouble.NONE);
        for (CompletableFuture<HttpResponse<String>> response : waiting) {
            assertThat(response.get().statusCode()).isEqualTo(200);
        }
        assertThat(tables.jobsOfKey(id)).containsExactly("contract.aggregated");
    }

    @Test
    void of_two_states_fetched_side_by_side_the_one_stored_first_is_kept_and_the_other_request_may_come_again()
            throws Exception {
        upstream.trouble(itemsPath, Trouble.SILENT);
        CompletableFuture<HttpResponse<String>> slow = CompletableFuture.supplyAsync(this::aggregate);
        assertThat(calls.poll(PATIENT.toSeconds(), TimeUnit.SECONDS).path()).isEqualTo(headerPath);
        assertThat(calls.poll(PATIENT.toSeconds(), TimeUnit.SECONDS).path()).isEqualTo(itemsPath);
        tables.dsl.execute("INSERT INTO contracts (id, customer, currency) VALUES (?, 'Newer', 'EUR')", id);
        Map<String, String> before = tables.contents();

        upstream.trouble(itemsPath, Trouble.NONE);

        assertThat(slow.get().statusCode()).isEqualTo(409);
        assertThat(SampleClient.error(slow.get())).contains("meanwhile", "Send the same request again");
        assertThat(tables.contents()).isEqualTo(before);
        assertThat(aggregate().statusCode()).isEqualTo(200);
        assertThat(SampleClient.json(stored()).path("customer").asText()).isEqualTo("Ada");
    }

    @Test
    void the_trace_of_the_request_goes_to_the_other_service_and_with_the_job() {
        String traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

        sample.client.send("POST", "/contracts/" + id + "/aggregate", "traceparent", traceparent);

        assertThat(drainCalls()).extracting(Call::traceparent).containsExactly(traceparent, traceparent);
        assertThat(tables.dsl
                        .fetchSingle("SELECT headers ->> 'traceparent' FROM staged_jobs WHERE job_key = ?", id)
                        .into(String.class))
                .isEqualTo(traceparent);
    }

    @Test
    void an_id_that_is_none_reaches_nobody() {
        assertThat(sample.client
                        .send("POST", "/contracts/..%2Fsecret/aggregate")
                        .statusCode())
                .isEqualTo(400);
        assertThat(sample.client.send("GET", "/contracts/" + "x".repeat(65)).statusCode())
                .isEqualTo(400);
        assertThat(sample.client.send("GET", "/contracts/" + id).statusCode()).isEqualTo(404);
        assertThat(calls).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"{}", "{\"ids\": []}", "{\"ids\": null}", "{\"ids\": [null]}", "{\"ids\": [\"../x\"]}", "[\"C-1\"]"
            })
    void a_wrong_list_is_refused_as_a_whole(String body) {
        Map<String, String> before = tables.contents();

        HttpResponse<String> response = sample.client.sendBody("POST", "/contracts/aggregations", body);

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(SampleClient.error(response)).contains("Nothing was kept. Send POST /contracts/aggregations");
        assertThat(tables.contents()).isEqualTo(before);
    }

    private void putHeader(String customer) {
        upstream.put(headerPath, "{\"id\": \"" + id + "\", \"customer\": \"" + customer + "\", \"currency\": \"EUR\"}");
    }

    private HttpResponse<String> aggregate() {
        return aggregateWith(sample);
    }

    private HttpResponse<String> aggregateWith(RunningSample service) {
        return service.client.send("POST", "/contracts/" + id + "/aggregate");
    }

    private HttpResponse<String> stored() {
        return sample.client.send("GET", "/contracts/" + id);
    }

    private static List<Call> drainCalls() {
        List<Call> drained = new ArrayList<>();
        calls.drainTo(drained);
        return drained;
    }
}
