package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.sample.Faults.Fault;
import io.stagedjobs.testkit.AtOnce;
import io.stagedjobs.testkit.TestPostgres;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jooq.Record;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UserApiTest {

    private static final List<RunningSample> SERVERS = new ArrayList<>();
    private static SampleTables tables;
    private static Faults faults;
    private static SampleClient client;

    @BeforeAll
    static void start() {
        tables = SampleTables.createIn(TestPostgres.shared());
        faults = new Faults(tables.dsl);
        client = serve(Units.ATTEMPTS_MAX, true);
    }

    @AfterAll
    static void stop() {
        SERVERS.forEach(RunningSample::close);
    }

    @AfterEach
    void endFaults() {
        faults.end();
    }

    private static SampleClient serve(int attemptsMax, boolean failuresAllowed) {
        RunningSample server = RunningSample.on(tables.database.dataSource(), attemptsMax, failuresAllowed);
        SERVERS.add(server);
        return server.client;
    }

    @Test
    void a_new_address_makes_a_user_an_action_and_a_job() throws Exception {
        HttpResponse<String> response = client.put("ada@example.org");

        assertThat(response.statusCode()).isEqualTo(201);
        long id = SampleClient.json(response).path("id").asLong();
        assertThat(SampleClient.json(response).path("email").asText()).isEqualTo("ada@example.org");
        assertThat(SampleClient.json(response).path("createdAt").asText()).endsWith("Z");
        Record action = tables.dsl.fetchSingle("SELECT id, action, at FROM user_actions WHERE user_id = ?", id);
        assertThat(action.get("action")).isEqualTo("created");
        Record job = tables.dsl.fetchSingle(
                "SELECT topic, job_key, job_name, convert_from(payload, 'UTF8') AS payload FROM staged_jobs"
                        + " WHERE job_key = ?",
                Long.toString(id));
        assertThat(job.get("topic")).isEqualTo("users");
        assertThat(job.get("job_name")).isEqualTo("user.created");
        assertThat(job.get("payload"))
                .isEqualTo("{\"userId\":%d,\"email\":\"ada@example.org\",\"actionId\":%d}"
                        .formatted(id, action.get("id", long.class)));
    }

    @Test
    void a_known_address_is_answered_alike_and_stages_nothing_more() {
        HttpResponse<String> first = client.put("grace@example.org");
        HttpResponse<String> second = client.put("grace@example.org");

        assertThat(second.statusCode()).isEqualTo(201);
        assertThat(second.body()).isEqualTo(first.body());
        assertThat(tables.actionsOf("grace@example.org")).isEqualTo(1);
        assertThat(tables.jobsFor("grace@example.org")).isEqualTo(1);
    }

    @Test
    void a_user_can_be_looked_up() {
        HttpResponse<String> created = client.put("ö+1@example.org");

        assertThat(client.get("ö+1@example.org").statusCode()).isEqualTo(200);
        assertThat(client.get("ö+1@example.org").body()).isEqualTo(created.body());
        assertThat(client.get("nobody@example.org").statusCode()).isEqualTo(404);
        assertThat(SampleClient.error(client.get("nobody@example.org"))).contains("no user");
        assertThat(client.send("GET", "/health").statusCode()).isEqualTo(200);
    }

    @Test
    void fifty_requests_at_once_for_one_address_make_one_user_one_action_and_one_job() throws Exception {
        List<HttpResponse<String>> responses = AtOnce.call(50, i -> client.put("crowd@example.org"));

        assertThat(responses).extracting(HttpResponse::statusCode).containsOnly(201);
        assertThat(responses)
                .extracting(HttpResponse::body)
                .containsOnly(responses.get(0).body());
        assertThat(tables.usersWith("crowd@example.org")).isEqualTo(1);
        assertThat(tables.actionsOf("crowd@example.org")).isEqualTo(1);
        assertThat(tables.jobsFor("crowd@example.org")).isEqualTo(1);
    }

    @Test
    void requests_at_once_for_different_addresses_all_succeed() throws Exception {
        List<HttpResponse<String>> responses = AtOnce.call(8, i -> client.put("neighbour" + i + "@example.org"));

        assertThat(responses).extracting(HttpResponse::statusCode).containsOnly(201);
        assertThat(responses).extracting(HttpResponse::body).doesNotHaveDuplicates();
    }

    @Test
    void a_request_that_fails_after_staging_leaves_no_trace() {
        Map<String, String> before = tables.contents();

        HttpResponse<String> response = client.put("unlucky@example.org", "Sample-Fail", "after-staging");

        assertThat(response.statusCode()).isEqualTo(500);
        assertThat(SampleClient.error(response)).contains("Nothing was kept");
        assertThat(tables.contents()).isEqualTo(before);
        assertThat(tables.usersWith("unlucky@example.org")).isZero();
    }

    @Test
    void a_failure_can_only_be_asked_for_where_that_is_allowed() {
        HttpResponse<String> response =
                serve(Units.ATTEMPTS_MAX, false).put("lucky@example.org", "Sample-Fail", "after-staging");

        assertThat(response.statusCode()).isEqualTo(201);
        assertThat(tables.jobsFor("lucky@example.org")).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/users                                | once, got it 0 times",
                "/users?email=                         | got nothing",
                "/users?email=%20%20                   | got nothing",
                "/users?email=nobody                   | has no @",
                "/users?email=a%00b@example.org        | NUL",
                "/users?email=a%0Ab@example.org        | control character",
                "/users?email=%FF%FE@example.org       | not valid UTF-8",
                "/users?email=a@b.org&email=c@d.org    | once, got it 2 times",
                "/users?email=ada+tag@example.org      | write + as %2B",
            })
    void a_wrong_address_is_refused_with_the_reason(String target, String reason) {
        Map<String, String> before = tables.contents();
        for (String method : List.of("PUT", "GET")) {
            HttpResponse<String> response = client.send(method, target);

            assertThat(response.statusCode()).isEqualTo(400);
            assertThat(SampleClient.error(response)).contains(reason).contains("Nothing was kept");
        }
        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void an_address_may_have_320_characters_and_no_more() {
        String longest = "a".repeat(64) + "@" + "b".repeat(255);

        assertThat(client.put(longest).statusCode()).isEqualTo(201);
        assertThat(client.put(longest + "b").statusCode()).isEqualTo(400);
        assertThat(SampleClient.error(client.put(longest + "b"))).contains("321 characters, at most 320");
    }

    @Test
    void a_conflict_is_retried_unseen_by_the_client() {
        faults.at("INSERT ON users", Fault.CONFLICT, 2);

        HttpResponse<String> response = client.put("patient@example.org");

        assertThat(response.statusCode()).isEqualTo(201);
        assertThat(faults.attempts()).isEqualTo(3);
        assertThat(tables.jobsFor("patient@example.org")).isEqualTo(1);
    }

    @Test
    void exhausted_attempts_answer_503_with_a_time_to_come_back() {
        faults.at("INSERT ON users", Fault.CONFLICT, Integer.MAX_VALUE);
        Map<String, String> before = tables.contents();

        HttpResponse<String> response = serve(3, false).put("crowded@example.org");

        assertThat(response.statusCode()).isEqualTo(503);
        assertThat(response.headers().firstValue("Retry-After")).hasValue("1");
        assertThat(SampleClient.error(response)).contains("3 times").contains("Nothing was kept");
        assertThat(faults.attempts()).isEqualTo(3);
        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void an_unexpected_failure_answers_500_without_details() {
        faults.at("INSERT ON users", Fault.ERROR, 1);

        HttpResponse<String> response = client.put("surprise@example.org");

        assertThat(response.statusCode()).isEqualTo(500);
        assertThat(response.body()).doesNotContain("secret").contains("Nothing was kept");
    }

    @Test
    void conflicts_that_were_retried_are_counted_on_the_page_of_metrics() {
        SampleClient counted = serve(Units.ATTEMPTS_MAX, false);
        faults.at("INSERT ON users", Fault.CONFLICT, 2);

        counted.put("counted@example.org");

        HttpResponse<String> metrics = counted.send("GET", "/metrics");
        assertThat(metrics.headers().firstValue("Content-Type"))
                .hasValueSatisfying(type -> assertThat(type).startsWith("text/plain"));
        assertThat(metrics.body().lines())
                .contains(
                        "staged_jobs_unit_attempts_seconds_count{outcome=\"retried\",unit=\"sign-up\"} 2",
                        "staged_jobs_unit_attempts_seconds_count{outcome=\"committed\",unit=\"sign-up\"} 1",
                        "staged_jobs_unit_jobs_total{unit=\"sign-up\"} 1.0");
    }

    @Test
    void the_job_carries_the_trace_of_its_request_and_no_other_request_does() {
        String traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

        client.put("traced@example.org", "traceparent", traceparent);
        client.put("no", "traceparent", traceparent);
        for (int i = 0; i < 20; i++) {
            client.put("untraced" + i + "@example.org", "traceparent", "nonsense");
        }

        List<String> traced = tables.dsl
                .fetch(
                        "SELECT convert_from(payload, 'UTF8')::jsonb ->> 'email' FROM staged_jobs"
                                + " WHERE headers ->> 'traceparent' = ?",
                        traceparent)
                .getValues(0, String.class);
        assertThat(traced).containsExactly("traced@example.org");
        assertThat(tables.jobsFor("untraced19@example.org")).isEqualTo(1);
    }

    @Test
    void the_first_page_lists_all_that_can_be_asked() {
        HttpResponse<String> page = client.send("GET", "/");

        assertThat(page.statusCode()).isEqualTo(200);
        assertThat(page.headers().firstValue("Content-Type"))
                .hasValueSatisfying(type -> assertThat(type).startsWith("text/plain"));
        assertThat(page.body())
                .contains("PUT /users?email=ADDRESS", "POST /orders/ID/complete", "POST /contracts/ID/aggregate")
                .contains("GET /health", "GET /metrics");
    }

    @Test
    void a_path_that_does_not_exist_and_a_method_that_is_not_known_are_answered_plainly() {
        HttpResponse<String> nowhere = client.send("GET", "/nowhere");
        HttpResponse<String> deletion = client.send("DELETE", "/users");

        assertThat(nowhere.statusCode()).isEqualTo(404);
        assertThat(SampleClient.error(nowhere))
                .isEqualTo("There is no GET /nowhere here. Nothing was kept. GET / lists what there is.");
        assertThat(deletion.statusCode()).isEqualTo(405);
        assertThat(SampleClient.error(deletion)).startsWith("There is no DELETE /users here.");
    }

    @Test
    void an_address_with_a_plus_is_stored_as_it_was_meant() {
        HttpResponse<String> response = client.put("ada+tag@example.org");

        assertThat(SampleClient.json(response).path("email").asText()).isEqualTo("ada+tag@example.org");
    }
}
