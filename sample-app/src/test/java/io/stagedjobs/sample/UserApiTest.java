package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;

import io.javalin.Javalin;
import io.stagedjobs.testkit.TestPostgres;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntFunction;
import org.jooq.Record;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UserApiTest {

    private static final List<Javalin> SERVERS = new ArrayList<>();
    private static SampleTables tables;
    private static SampleClient client;

    @BeforeAll
    static void start() {
        tables = SampleTables.createIn(TestPostgres.shared());
        client = serve(Users.ATTEMPTS_MAX, true);
    }

    @AfterAll
    static void stop() {
        SERVERS.forEach(Javalin::stop);
    }

    @AfterEach
    void removeTriggers() {
        tables.dsl.execute("DROP FUNCTION IF EXISTS conflict CASCADE");
        tables.dsl.execute("DROP SEQUENCE IF EXISTS attempts");
    }

    private static SampleClient serve(int attemptsMax, boolean failuresAllowed) {
        Users users = new Users(tables.database.dataSource(), Users.TOPIC, attemptsMax);
        Javalin server = new UserApi(users, failuresAllowed).server().start("127.0.0.1", 0);
        SERVERS.add(server);
        return new SampleClient("http://127.0.0.1:" + server.port());
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
        List<HttpResponse<String>> responses = atOnce(50, i -> "crowd@example.org");

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
        List<HttpResponse<String>> responses = atOnce(8, i -> "neighbour" + i + "@example.org");

        assertThat(responses).extracting(HttpResponse::statusCode).containsOnly(201);
        assertThat(responses).extracting(HttpResponse::body).doesNotHaveDuplicates();
    }

    @Test
    void a_request_that_fails_after_staging_leaves_no_trace() {
        int before = tables.rows();

        HttpResponse<String> response = client.put("unlucky@example.org", "Sample-Fail", "after-staging");

        assertThat(response.statusCode()).isEqualTo(500);
        assertThat(SampleClient.error(response)).contains("Nothing was kept");
        assertThat(tables.rows()).isEqualTo(before);
        assertThat(tables.usersWith("unlucky@example.org")).isZero();
    }

    @Test
    void a_failure_can_only_be_asked_for_where_that_is_allowed() {
        HttpResponse<String> response =
                serve(Users.ATTEMPTS_MAX, false).put("lucky@example.org", "Sample-Fail", "after-staging");

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
            })
    void a_wrong_address_is_refused_with_the_reason(String target, String reason) {
        int before = tables.rows();
        for (String method : List.of("PUT", "GET")) {
            HttpResponse<String> response = client.send(method, target);

            assertThat(response.statusCode()).isEqualTo(400);
            assertThat(SampleClient.error(response)).contains(reason).contains("Nothing was kept");
        }
        assertThat(tables.rows()).isEqualTo(before);
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
        insertsMeetConflicts(2);

        HttpResponse<String> response = client.put("patient@example.org");

        assertThat(response.statusCode()).isEqualTo(201);
        assertThat(attempts()).isEqualTo(3);
        assertThat(tables.jobsFor("patient@example.org")).isEqualTo(1);
    }

    @Test
    void exhausted_attempts_answer_503_with_a_time_to_come_back() {
        insertsMeetConflicts(Integer.MAX_VALUE);
        int before = tables.rows();

        HttpResponse<String> response = serve(3, false).put("crowded@example.org");

        assertThat(response.statusCode()).isEqualTo(503);
        assertThat(response.headers().firstValue("Retry-After")).hasValue("1");
        assertThat(SampleClient.error(response)).contains("3 times").contains("Nothing was kept");
        assertThat(attempts()).isEqualTo(3);
        assertThat(tables.rows()).isEqualTo(before);
    }

    @Test
    void an_unexpected_failure_answers_500_without_details() {
        tables.dsl.execute("CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS"
                + " $$ BEGIN RAISE EXCEPTION 'secret of the database'; END $$");
        tables.dsl.execute("CREATE TRIGGER conflict BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION conflict()");

        HttpResponse<String> response = client.put("surprise@example.org");

        assertThat(response.statusCode()).isEqualTo(500);
        assertThat(response.body()).doesNotContain("secret").contains("Nothing was kept");
    }

    /** Each of the first so many inserts of a user ends as if another transaction had been in the way. */
    private static void insertsMeetConflicts(int count) {
        // A sequence keeps what a rolled-back transaction drew.
        tables.dsl.execute("CREATE SEQUENCE attempts");
        tables.dsl.execute("CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                + " IF nextval('attempts') <= " + count
                + " THEN RAISE EXCEPTION 'conflict' USING ERRCODE = 'serialization_failure'; END IF;"
                + " RETURN NEW; END $$");
        tables.dsl.execute("CREATE TRIGGER conflict BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION conflict()");
    }

    private static int attempts() {
        return tables.dsl.fetchSingle("SELECT last_value FROM attempts").into(int.class);
    }

    private static List<HttpResponse<String>> atOnce(int count, IntFunction<String> email) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(count);
        try {
            CyclicBarrier allReady = new CyclicBarrier(count);
            List<Future<HttpResponse<String>>> answers = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                String address = email.apply(i);
                answers.add(threads.submit(() -> {
                    allReady.await();
                    return client.put(address);
                }));
            }
            List<HttpResponse<String>> responses = new ArrayList<>();
            for (Future<HttpResponse<String>> answer : answers) {
                responses.add(answer.get());
            }
            return responses;
        } finally {
            threads.shutdownNow();
        }
    }
}
