package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Timer;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The API of the admin port, compared with the document that describes it. */
class AdminApiTest {

    private final OpenApi document = new OpenApi();
    private ApiScene scene;

    AdminApiTest() throws Exception {}

    @BeforeEach
    void open() throws Exception {
        scene = new ApiScene(Tokens.NONE);
    }

    @AfterEach
    void close() throws Exception {
        scene.close();
    }

    private JsonNode read(String path, String query) throws Exception {
        String asked = path.replace("{id}", "7") + query;
        HttpResponse<String> answer = scene.get(asked, "Authorization", "Bearer " + ApiScene.OPERATOR);
        document.check("GET", path, answer);
        assertThat(answer.statusCode()).as(asked + ": " + answer.body()).isEqualTo(200);
        return path.endsWith(".yaml") ? ApiScene.JSON.createObjectNode() : scene.json(answer);
    }

    private JsonNode read(String path) throws Exception {
        return read(path, "");
    }

    private JsonNode change(String path, String body, int status) throws Exception {
        HttpResponse<String> answer = scene.post(path, body);
        document.check("POST", path, answer);
        assertThat(answer.statusCode()).as(body + ": " + answer.body()).isEqualTo(status);
        return scene.json(answer);
    }

    /** Jobs of every kind, an enqueuer that lives and one that does not, and pauses. */
    private void fill() {
        scene.outbox.stage("orders", "a", "order.placed");
        scene.outbox.stage("orders", "b", "order.placed");
        scene.outbox.stage("mails", null, "mail.sent");
        scene.moveAside("parked", "orders", "too large", 1, 9);
        scene.moveAside("held", "missing", "topic missing", 10, 5);
        scene.outbox.dsl().execute("INSERT INTO staged_job_pauses (topic) VALUES ('mails')");
        scene.outbox
                .dsl()
                .execute("INSERT INTO staged_job_enqueuers (enqueuer, name, delivery, seen_at)"
                        + " VALUES (gen_random_uuid(), 'one', 'exactly-once', clock_timestamp()),"
                        + " (gen_random_uuid(), 'gone', 'exactly-once', clock_timestamp() - interval '1 hour')");
        scene.outbox
                .dsl()
                .execute("UPDATE staged_job_lanes SET owner ="
                        + " (SELECT enqueuer FROM staged_job_enqueuers WHERE name = 'one')");
    }

    @Test
    void every_documented_route_exists_and_every_route_is_documented() {
        assertThat(scene.server.routes()).isEqualTo(document.routes());
    }

    @Test
    void every_answer_of_an_empty_outbox_is_as_documented() throws Exception {
        for (String route : document.routes()) {
            String path = route.substring(route.indexOf(' ') + 1);
            if (route.startsWith("GET") && !path.contains("{")) {
                read(path);
            }
        }
        document.check("GET", "/api/v1/jobs/{id}", scene.get("/api/v1/jobs/7"));
        assertThat(read("/api/v1/status").get("timeToDrainSeconds").asDouble()).isZero();
        assertThat(scene.get("/api/v1/openapi.yaml").body()).startsWith("openapi: 3.1.0");
    }

    @Test
    void every_answer_of_an_outbox_with_everything_in_it_is_as_documented() throws Exception {
        fill();
        for (String route : document.routes()) {
            if (route.startsWith("GET")) {
                read(route.substring(route.indexOf(' ') + 1));
            }
        }
        JsonNode status = read("/api/v1/status");
        assertThat(status.get("backlog").asLong()).isEqualTo(3);
        assertThat(status.get("exact").asBoolean()).isTrue();
        assertThat(status.get("asideJobs").asLong()).isEqualTo(14);
        assertThat(status.get("paused").toString()).isEqualTo("[\"mails\"]");
        assertThat(status.get("lanes"))
                .hasSize(8)
                .allSatisfy(lane -> assertThat(lane.get("owner").asText()).isEqualTo("one"));
        JsonNode topics = read("/api/v1/topics").get("topics");
        assertThat(topics.findValuesAsText("topic")).containsExactly("orders", "missing", "mails");
        assertThat(topics.get(0).toString()).contains("\"backlog\":2", "\"parked\":9", "[\"too large\"]");
        assertThat(topics.get(2).get("paused").asBoolean()).isTrue();
        assertThat(read("/api/v1/jobs", "?state=held&limit=3").get("jobs").findValuesAsText("id"))
                .containsExactly("10", "11", "12");
        assertThat(read("/api/v1/jobs", "?topic=orders&key=k3&reason=too%20large&name=order.placed&state=parked")
                        .get("jobs")
                        .findValuesAsText("id"))
                .containsExactly("3");
    }

    @Test
    void an_overview_has_what_a_page_shows_and_as_many_points_as_were_asked_for() throws Exception {
        fill();
        scene.server.series().sample();
        scene.server.series().sample();
        JsonNode overview = read("/api/v1/overview", "?points=1");
        assertThat(overview.get("rights").toString()).isEqualTo("{\"change\":true,\"payloads\":false}");
        assertThat(overview.at("/status/backlog").asLong()).isEqualTo(3);
        assertThat(overview.at("/topics/topics").findValuesAsText("topic"))
                .containsExactly("orders", "missing", "mails");
        assertThat(overview.at("/series/points")).hasSize(1);
        assertThat(read("/api/v1/overview").at("/series/points")).hasSizeGreaterThan(1);
        assertThat(scene.get("/api/v1/overview?points=361").statusCode()).isEqualTo(400);
    }

    @Test
    void a_payload_is_shown_only_where_it_is_asked_for_as_text_if_it_is_text() throws Exception {
        fill();
        assertThat(scene.get("/api/v1/jobs/7?payload=true").statusCode()).isEqualTo(403);
        scene.close();
        scene = new ApiScene(ApiScene.BOTH);
        fill();
        assertThat(read("/api/v1/jobs/{id}").has("payload")).isFalse();
        assertThat(read("/api/v1/jobs").toString()).doesNotContain("eyJuIjo3fQ", "\\\"n\\\":7");
        JsonNode payload = read("/api/v1/jobs/{id}", "?payload=true").get("payload");
        assertThat(payload.toString())
                .isEqualTo("{\"base64\":\"eyJuIjo3fQ==\",\"text\":\"{\\\"n\\\":7}\",\"complete\":true}");
        scene.outbox.dsl().execute("UPDATE parked_jobs SET payload = '\\xff00' WHERE id = 7");
        assertThat(read("/api/v1/jobs/{id}", "?payload=true").get("payload").toString())
                .isEqualTo("{\"base64\":\"/wA=\",\"text\":null,\"complete\":true}");
        scene.outbox
                .dsl()
                .execute("UPDATE parked_jobs SET payload = convert_to(repeat('ä', 600000), 'UTF8') WHERE id = 7");
        JsonNode large = read("/api/v1/jobs/{id}", "?payload=true").get("payload");
        assertThat(large.get("complete").asBoolean()).isFalse();
        assertThat(large.get("text").asText()).isEqualTo("ä".repeat(1 << 19));
        scene.outbox.dsl().execute("UPDATE parked_jobs SET payload = NULL WHERE id = 7");
        assertThat(read("/api/v1/jobs/{id}", "?payload=true").get("payload").isNull())
                .isTrue();
    }

    @Test
    void ten_thousand_jobs_are_read_page_by_page_each_once_and_in_order() throws Exception {
        scene.moveAside("parked", "orders", "too large", 1, 10_000);
        List<Long> ids = new ArrayList<>();
        String after = "";
        for (int page = 0; page < 20; page++) {
            JsonNode answer = read("/api/v1/jobs", "?limit=500" + after);
            answer.get("jobs").forEach(job -> ids.add(job.get("id").asLong()));
            after = "&after=" + answer.get("next").asText();
        }
        assertThat(after).isEqualTo("&after=null");
        assertThat(ids).hasSize(10_000).isSorted().doesNotHaveDuplicates();
    }

    @Test
    void a_dry_run_says_how_many_and_changes_nothing() throws Exception {
        fill();
        String before = scene.fingerprint();
        for (String selection : List.of(
                "\"all\":true",
                "\"ids\":[1,2,10]",
                "\"filter\":{\"topic\":\"orders\"}",
                "\"filter\":{\"state\":\"held\"}")) {
            change("/api/v1/jobs/requeue", "{" + selection + ",\"dryRun\":true}", 200);
            change("/api/v1/jobs/discard", "{" + selection + ",\"dryRun\":true}", 200);
        }
        assertThat(change("/api/v1/jobs/discard", "{\"ids\":[1,2,10],\"dryRun\":true}", 200)
                        .toString())
                .isEqualTo("{\"dryRun\":true,\"requeued\":0,\"discarded\":3,\"held\":1,\"followed\":0,\"kept\":0}");
        for (String path : List.of("/api/v1/pause", "/api/v1/resume")) {
            for (String what : List.of("\"topic\":\"mails\"", "\"topic\":\"orders\"", "\"everything\":true")) {
                boolean changes = change(path, "{" + what + ",\"dryRun\":true}", 200)
                        .get("changed")
                        .asBoolean();
                assertThat(changes).isEqualTo(what.contains("mails") == path.endsWith("resume"));
            }
        }
        assertThat(scene.fingerprint()).isEqualTo(before);
    }

    @Test
    void the_examples_of_the_document_do_what_it_says() throws Exception {
        fill();
        for (String path : List.of("/api/v1/jobs/requeue", "/api/v1/pause", "/api/v1/resume")) {
            for (String example : document.examples(path).values()) {
                change(path, example, 200);
            }
        }
        assertThat(document.examples("/api/v1/jobs/discard")).hasSize(2);
        assertThat(scene.outbox.waiting()).isEqualTo(3 + 9);
        assertThat(scene.outbox.aside()).hasSize(5);
    }

    @Test
    void a_discard_needs_the_number_of_its_dry_run() throws Exception {
        fill();
        String before = scene.fingerprint();
        String selection = "{\"filter\":{\"topic\":\"orders\"}";
        assertThat(change("/api/v1/jobs/discard", selection + "}", 400).toString())
                .contains("expected is missing");
        assertThat(change("/api/v1/jobs/discard", selection + ",\"expected\":8}", 409)
                        .toString())
                .contains("expected is 8, but it would be 9 jobs now; nothing was changed");
        assertThat(change("/api/v1/jobs/requeue", selection + ",\"expected\":8}", 409)
                        .toString())
                .contains("nothing was changed");
        assertThat(scene.fingerprint()).isEqualTo(before);
        assertThat(change("/api/v1/jobs/discard", selection + ",\"expected\":9}", 200)
                        .get("discarded")
                        .asInt())
                .isEqualTo(9);
        assertThat(scene.outbox.aside()).hasSize(5);
    }

    @Test
    void a_pause_can_be_ended_and_says_whether_it_was_news() throws Exception {
        assertThat(change("/api/v1/pause", "{\"topic\":\"t\"}", 200).toString())
                .isEqualTo("{\"dryRun\":false,\"topic\":\"t\",\"changed\":true}");
        assertThat(change("/api/v1/pause", "{\"topic\":\"t\"}", 200)
                        .get("changed")
                        .asBoolean())
                .isFalse();
        assertThat(change("/api/v1/pause", "{\"everything\":true}", 200)
                        .get("topic")
                        .asText())
                .isEqualTo("*");
        assertThat(read("/api/v1/status").get("paused").toString()).isEqualTo("[\"*\",\"t\"]");
        change("/api/v1/resume", "{\"everything\":true}", 200);
        change("/api/v1/resume", "{\"topic\":\"t\"}", 200);
        assertThat(scene.outbox.dsl().fetchCount(org.jooq.impl.DSL.table("staged_job_pauses")))
                .isZero();
    }

    @Test
    void what_is_wrong_is_told_with_what_is_accepted_and_the_document_says_so_too() throws Exception {
        Map<String, String> wrong = Map.ofEntries(
                Map.entry("", "the body has to be a JSON object"),
                Map.entry("{", "the body is no JSON"),
                Map.entry("[]", "the body has to be a JSON object with some of [all, dryRun"),
                Map.entry("{}", "which jobs?"),
                Map.entry("{\"ids\":[]}", "ids is wrong: expected 1 to 5000 whole numbers"),
                Map.entry("{\"ids\":[1.5]}", "ids is wrong"),
                Map.entry("{\"ids\":[\"1\"]}", "ids is wrong"),
                Map.entry("{\"ids\":[-1]}", "ids is wrong"),
                Map.entry("{\"ids\":[1],\"all\":true}", "which jobs?"),
                Map.entry("{\"all\":false}", "which jobs?"),
                Map.entry("{\"all\":\"true\"}", "all is wrong: expected true or false"),
                Map.entry("{\"all\":true,\"dry\":true}", "unknown name; accepted are"),
                Map.entry("{\"all\":true,\"expected\":-1}", "expected is wrong"),
                Map.entry("{\"filter\":{}}", "filter is empty"),
                Map.entry("{\"filter\":{\"lane\":1}}", "filter has an unknown name"),
                Map.entry("{\"filter\":{\"key\":\"k\"}}", "key needs topic"),
                Map.entry("{\"filter\":{\"topic\":\"a b\"}}", "topic is wrong"),
                Map.entry("{\"filter\":{\"state\":\"gone\"}}", "state is wrong: expected held or parked"),
                Map.entry("{\"filter\":{\"reason\":\"none\"}}", "reason is wrong: expected one of [follows, refused"),
                Map.entry("{\"filter\":{\"name\":\"" + "n".repeat(256) + "\"}}", "key or name is wrong"));
        for (Map.Entry<String, String> each : wrong.entrySet()) {
            assertThat(change("/api/v1/jobs/requeue", each.getKey(), 400)
                            .get("error")
                            .asText())
                    .as(each.getKey())
                    .contains(each.getValue());
            assertThat(each.getKey().length() > 1 && document.permits("/api/v1/jobs/requeue", each.getKey()))
                    .as("the document permits " + each.getKey())
                    .isFalse();
        }
        for (String query : List.of(
                "?limit=0",
                "?limit=501",
                "?limit=x",
                "?after=-1",
                "?state=x",
                "?key=k",
                "?more=1",
                "?limit=1&limit=2",
                "?topic=%00",
                "?reason=x",
                "?topic=t&key=%00",
                "?name=%ED%A0%80%00")) {
            HttpResponse<String> answer = scene.get("/api/v1/jobs" + query);
            document.check("GET", "/api/v1/jobs", answer);
            assertThat(answer.statusCode()).as(query).isEqualTo(400);
        }
        assertThat(scene.get("/api/v1/jobs/seven").statusCode()).isEqualTo(400);
        assertThat(scene.get("/api/v1/jobs/7?payload=yes").statusCode()).isEqualTo(400);
        assertThat(scene.send("POST", "/api/v1/pause", "{}").statusCode()).isEqualTo(415);
        assertThat(scene.post("/api/v1/pause", "{\"topic\":\"" + "t".repeat(70_000) + "\"}")
                        .statusCode())
                .isEqualTo(413);
        assertThat(scene.raw("POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"))
                .startsWith("HTTP/1.1 411");
    }

    @Test
    void beyond_its_bound_a_count_is_an_estimate_and_says_so() throws Exception {
        scene.outbox
                .dsl()
                .execute("INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                        + " SELECT 'many', n::text, 'n', '{}' FROM generate_series(1, 150000) AS n");
        scene.moveAside("held", "missing", "topic missing", 1_000_000, 120_000);
        JsonNode status = read("/api/v1/status");
        assertThat(status.get("exact").asBoolean()).isFalse();
        assertThat(status.get("backlog").asLong()).isBetween(100_000L, 200_000L);
        assertThat(status.get("asideExact").asBoolean()).isFalse();
        assertThat(status.get("asideJobs").asLong()).isBetween(100_000L, 160_000L);
        assertThat(status.get("lanes"))
                .allSatisfy(lane -> assertThat(lane.get("backlog").asLong()).isBetween(10_000L, 30_000L));
        assertThat(read("/api/v1/topics").get("exact").asBoolean()).isFalse();
    }

    @Test
    void the_series_tells_rates_and_latencies_since_the_point_before() throws Exception {
        Gauge.builder("staged.jobs.backlog", () -> 12).register(scene.registry);
        Timer latency =
                Timer.builder("staged.jobs.lag").publishPercentileHistogram().register(scene.registry);
        scene.server.series().sample();
        scene.outbox.stage("orders", "a", "order.placed");
        for (int i = 0; i < 100; i++) {
            latency.record(Duration.ofMillis(i < 90 ? 10 : 2000));
        }
        scene.server.series().sample();
        JsonNode points = read("/api/v1/series").get("points");
        JsonNode last = points.get(points.size() - 1);
        assertThat(last.get("backlog").asLong()).isEqualTo(12);
        assertThat(last.get("stagedPerSecond").asDouble()).isPositive();
        assertThat(last.get("latencyP50Seconds").asDouble()).isBetween(0.008, 0.012);
        assertThat(last.get("latencyP99Seconds").asDouble()).isBetween(1.5, 2.5);
        assertThat(points.get(0).get("stagedPerSecond").isNull()).isTrue();
        assertThat(read("/api/v1/status").get("rates").get("stagedPerSecond").asDouble())
                .isPositive();
    }

    @Test
    void each_action_leaves_a_line_without_key_and_payload() throws Exception {
        fill();
        scene.post(
                "/api/v1/jobs/discard",
                "{\"filter\":{\"topic\":\"orders\",\"key\":\"k3\",\"name\":\"\u2028\\n\"}," + "\"dryRun\":true}");
        scene.post("/api/v1/jobs/discard", "{\"ids\":[1,2],\"expected\":2}");
        scene.post("/api/v1/jobs/discard", "{\"ids\":[3],\"expected\":2}");
        scene.post("/api/v1/pause", "{\"everything\":true}");
        scene.post("/api/v1/pause", "nonsense");
        scene.get("/api/v1/status");
        assertThat(scene.audited())
                .containsExactly(
                        "/api/v1/jobs/discard by=\"no token\" from=127.0.0.1 jobs=[topic=\"orders\" key=\"(given)\""
                                + " name=\"\\u2028\\n\"] dryRun=true result=\"discarded 0, requeued 0, kept 0\"",
                        "/api/v1/jobs/discard by=\"no token\" from=127.0.0.1 jobs=[2 ids: [1, 2]] dryRun=false"
                                + " result=\"discarded 2, requeued 0, kept 0\"",
                        "/api/v1/jobs/discard by=\"no token\" from=127.0.0.1 jobs=[1 ids: [3]] dryRun=false"
                                + " result=\"refused with 409: expected is 2, but it would be 1 jobs now; nothing was"
                                + " changed, ask with \\\"dryRun\\\": true again\"",
                        "/api/v1/pause by=\"no token\" from=127.0.0.1 topic=\"*\" dryRun=false result=\"changed\"",
                        "\"/api/v1/pause\" from=127.0.0.1 refused=400");
    }

    @Test
    void a_token_that_is_not_long_enough_is_none() {
        Tokens tokens = new Tokens(() -> Optional.of(""), () -> Optional.of("short"));
        assertThat(tokens.isOperator("")).isFalse();
        assertThat(tokens.isReadOnly("short")).isFalse();
    }
}
