package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Thousands of wrong requests, the same ones each time: none is our fault, and none changes anything. */
class HostileRequestsTest {

    private static final long SEED = 20_261_128;
    private static final int REQUESTS = 6_000;

    private static final List<String> VERBS = List.of(
            "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "QUERY", "get", "BREW", "");
    private static final List<String> PATHS = List.of(
            "/api/v1/status",
            "/api/v1/overview",
            "/api/v1/topics",
            "/api/v1/lanes",
            "/api/v1/enqueuers",
            "/api/v1/doctor",
            "/api/v1/series",
            "/api/v1/jobs",
            "/api/v1/jobs/7",
            "/api/v1/jobs/requeue",
            "/api/v1/jobs/discard",
            "/api/v1/pause",
            "/api/v1/resume",
            "/api/v1/openapi.yaml",
            "/metrics",
            "/health/live",
            "/api/v1/jobs/-1",
            "/api/v1/jobs/1e9",
            "/api/v1/jobs/99999999999999999999",
            "/api/v1/jobs/%00",
            "/api/v1/jobs/7/",
            "/api/v1//jobs",
            "/api/v2/status",
            "/",
            "/page/page.js",
            "/page/../openapi.yaml",
            "//",
            "/api",
            "/..%2f..%2fetc/passwd",
            "/%zz",
            "/api/v1/status;x=1",
            "*",
            "http://evil.example/api/v1/status",
            "/api/v1/jobs/../pause",
            "/api/v1/jobs/%F0%9F%98%80");
    private static final List<String> PARAMETERS = List.of(
            "state", "topic", "key", "reason", "name", "after", "limit", "payload", "points", "x", "", "dryRun", "%00",
            "topic[]");
    private static final List<String> VALUES = List.of(
            "",
            "1",
            "-1",
            "0",
            "true",
            "held",
            "parked",
            "too%20large",
            "a%00b",
            "%ED%A0%80",
            "%zz",
            "%",
            "'%3B--",
            "*",
            "99999999999999999999",
            "1e3",
            "NaN",
            "%0d%0aX:%20y",
            "%F0%9F%98%80",
            "orders",
            "t".repeat(300));
    private static final List<String> BODIES = List.of(
            "",
            "{}",
            "[]",
            "null",
            "1",
            "\"x\"",
            "{",
            "{\"ids\":[1]}",
            "{\"ids\":1}",
            "{\"ids\":[null]}",
            "{\"ids\":[1e99]}",
            "{\"ids\":[99999999999999999999]}",
            "{\"filter\":[]}",
            "{\"filter\":{\"topic\":7}}",
            "{\"filter\":{\"topic\":\"a\\u0000\"}}",
            "{\"filter\":{\"topic\":\"t\",\"key\":\"\\u0000\"}}",
            "{\"filter\":{\"topic\":\"t\",\"key\":\"\\ud800\"}}",
            "{\"all\":1}",
            "{\"all\":true,\"expected\":-7}",
            "{\"all\":true,\"expected\":\"7\"}",
            "{\"all\":true,\"expected\":999999}",
            "{\"topic\":[]}",
            "{\"topic\":\"*\"}",
            "{\"topic\":\"\\n\"}",
            "{\"everything\":false}",
            "{\"everything\":null}",
            "{\"topic\":\"t\",\"everything\":true}",
            "{\"all\":true,\"all\":true}",
            "{\"dryRun\":true}",
            "[".repeat(5_000),
            "{\"a\":".repeat(2_000),
            "\u0000",
            "{\"all\":true}x",
            "x".repeat(70_000));
    private static final List<String> TYPES = List.of(
            "application/json", "application/json; charset=utf-8", "text/plain", "", "application/json;", "a", "*/*");
    private static final List<String> HEADERS = List.of(
            "Host: localhost",
            "Host: localhost",
            "Host: localhost",
            "Host: localhost",
            "Host: evil.example",
            "Host:",
            "X: y");
    private static final List<String> MORE = List.of(
            "X: y",
            "X: y",
            "Origin: http://evil.example",
            "Sec-Fetch-Site: cross-site",
            "Authorization: Bearer x",
            "Expect: 100-continue",
            "Upgrade: h2c",
            "Range: bytes=0-1",
            "Accept: text/html",
            "Cookie: a=b; c",
            "X-HTTP-Method-Override: DELETE",
            "If-Match: *",
            "Accept-Encoding: gzip",
            "X: " + "y".repeat(9_000));

    private ApiScene scene;

    @BeforeEach
    void open() throws Exception {
        scene = new ApiScene(Tokens.NONE);
        scene.moveAside("parked", "orders", "too large", 1, 20);
        scene.outbox.stage("orders", "a", "order.placed");
    }

    @AfterEach
    void close() throws Exception {
        scene.close();
    }

    private static <T> T any(Random random, List<T> of) {
        return of.get(random.nextInt(of.size()));
    }

    /** What would rightly change something is no wrong request: those are left out. */
    private static String request(Random random) {
        String verb = any(random, VERBS);
        StringBuilder target = new StringBuilder(any(random, PATHS));
        for (int i = random.nextInt(3); i > 0; i--) {
            target.append(target.indexOf("?") < 0 ? "?" : "&")
                    .append(any(random, PARAMETERS))
                    .append("=")
                    .append(any(random, VALUES));
        }
        boolean post = random.nextInt(3) == 0;
        String body = any(random, BODIES);
        if (body.contains("{\"ids\":[1]}") && target.indexOf("requeue") > 0) {
            body = "{}";
        }
        List<String> lines = new ArrayList<>();
        lines.add((post ? "POST" : verb) + " " + target + " HTTP/1." + (random.nextInt(8) == 0 ? "0" : "1"));
        lines.add(any(random, HEADERS));
        lines.add("Content-Type: " + any(random, TYPES));
        lines.add(any(random, MORE));
        lines.add("Connection: close");
        if (random.nextInt(10) > 0) {
            lines.add("Content-Length: " + body.getBytes(java.nio.charset.StandardCharsets.UTF_8).length);
        }
        return String.join("\r\n", lines) + "\r\n\r\n" + body;
    }

    @Test
    void no_wrong_request_gets_a_server_error_or_a_stack_trace_or_changes_anything() throws Exception {
        String before = scene.fingerprint();
        Random random = new Random(SEED);
        for (int i = 0; i < REQUESTS; i++) {
            String request = request(random);
            String answer;
            try {
                answer = scene.raw(request);
            } catch (java.net.SocketException reset) {
                continue; // closed while we still wrote
            }
            assertThat(answer)
                    .as("request %d: %s", i, request.substring(0, Math.min(600, request.length())))
                    .doesNotStartWith("HTTP/1.1 5")
                    .doesNotContain("Exception", "\tat ", "io.javalin", "org.postgresql", "SQLSTATE");
            if (answer.matches("(?s)HTTP/1\\.1 4.*") && !request.startsWith("HEAD")) {
                assertThat(answer).as("request %d: %s", i, request).contains("{\"error\":\"");
            }
        }
        assertThat(scene.fingerprint()).isEqualTo(before);
    }
}
