package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Who may ask for what: tokens, names, pages elsewhere, and how often. */
class AccessTest {

    private static final String PAUSE = "{\"topic\":\"t\"}";

    private final OpenApi document = new OpenApi();
    private ApiScene scene;

    AccessTest() throws Exception {}

    @AfterEach
    void close() throws Exception {
        scene.close();
    }

    private int status(String verb, String path, String token, String... headers) throws Exception {
        List<String> all = new ArrayList<>(List.of(headers));
        if (!token.isEmpty()) {
            all.addAll(List.of("Authorization", "Bearer " + token));
        }
        if (verb.equals("POST")) {
            all.addAll(List.of("Content-Type", "application/json"));
        }
        HttpResponse<String> answer =
                scene.send(verb, path, verb.equals("POST") ? PAUSE : null, all.toArray(new String[0]));
        if (path.startsWith("/api/v1") && !path.contains("?") && !path.contains("jobs/")) {
            document.check(verb, path, answer);
        }
        return answer.statusCode();
    }

    @Test
    void both_tokens_read_and_the_operators_alone_changes_and_shows_payloads() throws Exception {
        scene = new ApiScene(ApiScene.BOTH);
        scene.moveAside("parked", "t", "too large", 7, 1);
        for (String path :
                List.of("/metrics", "/api/v1/status", "/api/v1/jobs", "/api/v1/openapi.yaml", "/api/v1/doctor")) {
            assertThat(status("GET", path, "")).as(path).isEqualTo(401);
            assertThat(status("GET", path, "wrong-wrong-wrong-wrong")).as(path).isEqualTo(401);
            assertThat(status("GET", path, ApiScene.READER)).as(path).isEqualTo(200);
            assertThat(status("GET", path, ApiScene.OPERATOR)).as(path).isEqualTo(200);
        }
        for (String path : List.of("/api/v1/pause", "/api/v1/resume")) {
            assertThat(status("POST", path, "")).isEqualTo(401);
            assertThat(status("POST", path, ApiScene.READER)).isEqualTo(403);
            assertThat(status("POST", path, ApiScene.OPERATOR)).isEqualTo(200);
        }
        assertThat(status("GET", "/api/v1/jobs/7", ApiScene.READER)).isEqualTo(200);
        assertThat(status("GET", "/api/v1/jobs/7?payload=true", ApiScene.READER))
                .isEqualTo(403);
        assertThat(status("GET", "/api/v1/jobs/7?payload=true", ApiScene.OPERATOR))
                .isEqualTo(200);
        assertThat(status("GET", "/api/nothing", "")).isEqualTo(401);
        assertThat(status("GET", "/health/ready", "")).isEqualTo(503);
        assertThat(status("GET", "/health/live", "")).isEqualTo(200);
        assertThat(scene.audited())
                .contains(
                        "\"/api/v1/pause\" from=127.0.0.1 refused=401",
                        "\"/api/v1/pause\" from=127.0.0.1 refused=403",
                        "/api/v1/pause by=\"the operator's token\" from=127.0.0.1 topic=\"t\" dryRun=false"
                                + " result=\"changed\"")
                .noneMatch(line -> line.contains(ApiScene.OPERATOR) || line.contains(ApiScene.READER));
    }

    @Test
    void an_overview_tells_what_the_caller_may_do() throws Exception {
        scene = new ApiScene(ApiScene.BOTH);
        assertThat(scene.get("/api/v1/overview", "Authorization", "Bearer " + ApiScene.READER)
                        .body())
                .startsWith("{\"rights\":{\"change\":false,\"payloads\":false}");
        assertThat(scene.get("/api/v1/overview", "Authorization", "Bearer " + ApiScene.OPERATOR)
                        .body())
                .startsWith("{\"rights\":{\"change\":true,\"payloads\":true}");
        assertThat(status("GET", "/api/v1/overview", "")).isEqualTo(401);
    }

    @Test
    void with_the_read_only_token_alone_nobody_changes_anything() throws Exception {
        scene = new ApiScene(new Tokens(Optional::empty, () -> Optional.of(ApiScene.READER)));
        assertThat(status("GET", "/api/v1/status", ApiScene.READER)).isEqualTo(200);
        assertThat(status("POST", "/api/v1/pause", ApiScene.READER)).isEqualTo(403);
        assertThat(status("POST", "/api/v1/pause", "")).isEqualTo(401);
    }

    @Test
    void a_page_elsewhere_cannot_steer_the_port_whatever_token_there_is() throws Exception {
        for (Tokens tokens : List.of(Tokens.NONE, ApiScene.BOTH)) {
            scene = new ApiScene(tokens);
            String token = tokens.equals(Tokens.NONE) ? "" : ApiScene.OPERATOR;
            String own = "127.0.0.1:" + scene.server.port();
            String before = scene.fingerprint();
            for (String origin : List.of(
                    "http://evil.example",
                    "https://" + own + ".evil.example",
                    "http://127.0.0.1",
                    "http://localhost:1",
                    "null",
                    "",
                    "http://" + own + "/",
                    own)) {
                assertThat(status("POST", "/api/v1/pause", token, "Origin", origin))
                        .as(origin)
                        .isEqualTo(403);
                assertThat(status("GET", "/api/v1/status", token, "Origin", origin))
                        .as(origin)
                        .isEqualTo(403);
            }
            for (String site : List.of("cross-site", "same-site", "elsewhere")) {
                assertThat(status("POST", "/api/v1/pause", token, "Sec-Fetch-Site", site))
                        .as(site)
                        .isEqualTo(403);
            }
            for (String type : List.of("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "")) {
                assertThat(scene.send(
                                        "POST",
                                        "/api/v1/pause",
                                        PAUSE,
                                        "Authorization",
                                        "Bearer " + token,
                                        "Content-Type",
                                        type)
                                .statusCode())
                        .as(type)
                        .isEqualTo(415);
            }
            assertThat(scene.fingerprint()).isEqualTo(before);
            assertThat(status(
                            "POST", "/api/v1/pause", token, "Origin", "http://" + own, "Sec-Fetch-Site", "same-origin"))
                    .isEqualTo(200);
            assertThat(status("POST", "/api/v1/resume", token, "Origin", "HTTPS://" + own))
                    .isEqualTo(200);
            if (tokens.equals(Tokens.NONE)) {
                scene.close();
            }
        }
    }

    @Test
    void a_change_under_another_name_of_this_machine_is_refused() throws Exception {
        scene = new ApiScene(Tokens.NONE);
        for (String host : List.of("evil.example", "localhost.evil.example", "10.0.0.1:80", "")) {
            assertThat(scene.raw(
                            "POST /api/v1/pause HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: application/json\r\n"
                                    + "Content-Length: 13\r\nConnection: close\r\n\r\n" + PAUSE))
                    .as(host)
                    .startsWith("HTTP/1.1 4")
                    .contains("{\"error\":");
        }
        assertThat(scene.raw("POST /api/v1/pause HTTP/1.0\r\nContent-Type: application/json\r\n"
                        + "Content-Length: 13\r\n\r\n" + PAUSE))
                .startsWith("HTTP/1.1 4");
        assertThat(scene.outbox
                        .dsl()
                        .fetchSingle("SELECT count(*) FROM staged_job_pauses")
                        .get(0, int.class))
                .isZero();
    }

    @Test
    void every_answer_forbids_what_a_page_elsewhere_could_do_with_it() throws Exception {
        scene = new ApiScene(ApiScene.BOTH);
        String close = " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        for (String request : List.of(
                "GET /health/live" + close,
                "GET /metrics" + close,
                "GET /nothing" + close,
                "DELETE /api/v1/status" + close,
                "GET /api/v1/status" + close,
                "GET /%zz" + close,
                "GET /a%2fb;c" + close,
                "no request\r\n\r\n",
                "GET /health/live HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")) {
            assertThat(scene.raw(request))
                    .as(request)
                    .containsIgnoringCase("\r\nContent-Security-Policy: default-src 'none'")
                    .contains("frame-ancestors 'none'")
                    .containsIgnoringCase("\r\nX-Content-Type-Options: nosniff")
                    .containsIgnoringCase("\r\nReferrer-Policy: no-referrer")
                    .containsIgnoringCase("\r\nCache-Control: no-store")
                    .doesNotContainIgnoringCase("\r\nServer:", "Access-Control-", "<html", "jetty");
        }
    }

    @Test
    void each_client_has_a_budget_of_reads_and_one_of_changes() throws Exception {
        scene = new ApiScene(
                Tokens.NONE,
                new AdminServer.Budgets(
                        new RequestBudget(3, 0.1, System::nanoTime), new RequestBudget(2, 0.1, System::nanoTime)));
        for (int i = 0; i < 3; i++) {
            assertThat(status("GET", "/api/v1/status", "")).isEqualTo(200);
        }
        HttpResponse<String> refused = scene.get("/api/v1/status");
        assertThat(refused.statusCode()).isEqualTo(429);
        assertThat(Integer.parseInt(refused.headers().firstValue("Retry-After").orElseThrow()))
                .isBetween(1, 10);
        assertThat(status("POST", "/api/v1/pause", "")).isEqualTo(200);
        assertThat(status("POST", "/api/v1/pause", "")).isEqualTo(200);
        assertThat(status("POST", "/api/v1/pause", "")).isEqualTo(429);
        assertThat(status("GET", "/health/live", "")).isEqualTo(200);
    }
}
