package io.stagedjobs.daemon.admin;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.Origin;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.Socket;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The admin port, byte by byte: what is answered to whom. */
class AdminHttpTest {

    /** The database is away. */
    private static final Outbox NO_OUTBOX = (Outbox) Proxy.newProxyInstance(
            Outbox.class.getClassLoader(), new Class<?>[] {Outbox.class}, (outbox, method, arguments) -> {
                throw new ExternalFailureException(Origin.POSTGRESQL, "the database is away", null);
            });

    private AdminServer admin;

    private AdminServer start(Optional<String> token) throws Exception {
        admin = new AdminServer(
                new Binding("127.0.0.1", 0, new Tokens(() -> token, Optional::empty)),
                new Health(),
                new PrometheusMeterRegistry(PrometheusConfig.DEFAULT),
                NO_OUTBOX,
                Map::of);
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
        assertThat(answer("GET", "/api/v1/series", "Host: " + host))
                .startsWith("HTTP/1.1 200")
                .contains("points");
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
        for (String path : new String[] {"/api/v1/series", "/metrics", "/health/ready", "/nothing"}) {
            assertThat(answer("GET", path, "Host: " + host))
                    .startsWith("HTTP/1.1 421")
                    .contains("{\"error\":\"this port answers requests to localhost, and no other name\"}");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Bearer right-right-right", "bearer right-right-right", "BEARER  right-right-right"})
    void the_token_is_taken_however_the_word_before_it_is_written(String authorization) throws Exception {
        start(Optional.of("right-right-right"));
        assertThat(answer("GET", "/api/v1/series", "Host: localhost", "Authorization: " + authorization))
                .startsWith("HTTP/1.1 200");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Bearer wrong",
                "right-right-right",
                "Basic right-right-right",
                "Bearer Right-right-right",
                "Bearer",
                "Bearer right-right-right right"
            })
    void another_token_is_none(String authorization) throws Exception {
        start(Optional.of("right-right-right"));
        assertThat(answer("GET", "/api/v1/series", "Host: localhost", "Authorization: " + authorization))
                .startsWith("HTTP/1.1 401")
                .contains("WWW-Authenticate: Bearer", "{\"error\":\"send the admin token");
    }

    @Test
    void what_is_not_there_or_cannot_be_done_is_told_in_one_shape() throws Exception {
        start(Optional.empty());
        assertThat(answer("GET", "/nothing", "Host: localhost"))
                .startsWith("HTTP/1.1 404")
                .contains("application/json", "{\"error\":\"nothing is at this path; the page is at /");
        assertThat(answer("POST", "/api/v1/series", "Host: localhost", "Content-Length: 0"))
                .startsWith("HTTP/1.1 405")
                .contains(
                        "application/json",
                        "{\"error\":\"POST is nothing that can be done here; see /api/v1/openapi.yaml\"}");
    }

    @Test
    void a_database_that_is_away_is_told_as_that() throws Exception {
        start(Optional.empty());
        for (String path : new String[] {"/api/v1/status", "/api/v1/topics", "/api/v1/jobs", "/api/v1/jobs/7"}) {
            assertThat(answer("GET", path, "Host: localhost"))
                    .startsWith("HTTP/1.1 503")
                    .contains("{\"error\":\"the database is away\"}");
        }
    }
}
