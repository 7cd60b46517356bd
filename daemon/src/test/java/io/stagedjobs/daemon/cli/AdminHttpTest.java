package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.daemon.admin.AdminServer;
import io.stagedjobs.enqueuer.Health;
import java.io.IOException;
import java.net.Socket;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The admin port, byte by byte: what is answered to whom. */
class AdminHttpTest {

    private AdminServer admin;

    private AdminServer start(Optional<String> token) throws Exception {
        admin = new AdminServer(
                new AdminServer.Binding("127.0.0.1", 0, token),
                new Health(),
                new PrometheusMeterRegistry(PrometheusConfig.DEFAULT),
                () -> Map.of("backlog", 0));
        admin.start();
        return admin;
    }

    @AfterEach
    void close() {
        admin.close();
    }

    /** Status line, headers and body. */
    private String answer(String method, String path, String... headers) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", admin.port())) {
            String request = method + " " + path + " HTTP/1.1\r\n" + String.join("\r\n", headers)
                    + "\r\nConnection: close\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(UTF_8));
            return new String(socket.getInputStream().readAllBytes(), UTF_8);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"localhost", "LOCALHOST:8080", "127.0.0.1:9", "127.1.2.3", "[::1]:80", "jobs.localhost"})
    void a_loopback_port_answers_to_the_names_of_this_machine(String host) throws Exception {
        start(Optional.empty());
        assertThat(answer("GET", "/api/status", "Host: " + host))
                .startsWith("HTTP/1.1 200")
                .contains("backlog");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "evil.example",
                "evil.example:8080",
                "localhost.evil.example",
                "127.0.0.1.evil.example",
                "10.0.0.1"
            })
    void a_loopback_port_tells_nothing_to_a_page_that_has_its_own_name_resolved_to_it(String host) throws Exception {
        start(Optional.empty());
        for (String path : new String[] {"/api/status", "/metrics", "/health/ready", "/nothing"}) {
            assertThat(answer("GET", path, "Host: " + host))
                    .startsWith("HTTP/1.1 421")
                    .contains("{\"error\":\"this port answers requests to localhost, and no other name\"}");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Bearer right", "bearer right", "BEARER  right"})
    void the_token_is_taken_however_the_word_before_it_is_written(String authorization) throws Exception {
        start(Optional.of("right"));
        assertThat(answer("GET", "/api/status", "Host: localhost", "Authorization: " + authorization))
                .startsWith("HTTP/1.1 200");
    }

    @ParameterizedTest
    @ValueSource(strings = {"Bearer wrong", "right", "Basic right", "Bearer Right", "Bearer", "Bearer right right"})
    void another_token_is_none(String authorization) throws Exception {
        start(Optional.of("right"));
        assertThat(answer("GET", "/api/status", "Host: localhost", "Authorization: " + authorization))
                .startsWith("HTTP/1.1 401")
                .contains("WWW-Authenticate: Bearer", "{\"error\":\"send the admin token");
    }

    @Test
    void what_is_not_there_or_cannot_be_done_is_told_in_one_shape() throws Exception {
        start(Optional.empty());
        assertThat(answer("GET", "/nothing", "Host: localhost"))
                .startsWith("HTTP/1.1 404")
                .contains("application/json", "{\"error\":\"nothing is at this path; see /health/live");
        assertThat(answer("POST", "/api/status", "Host: localhost", "Content-Length: 0"))
                .startsWith("HTTP/1.1 405")
                .contains("application/json", "{\"error\":\"POST is nothing that can be done here; use GET\"}");
    }
}
