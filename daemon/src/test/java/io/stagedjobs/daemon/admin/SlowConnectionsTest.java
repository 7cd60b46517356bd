package io.stagedjobs.daemon.admin;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.Eventually;
import java.io.IOException;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Clients that connect and send next to nothing. */
class SlowConnectionsTest {

    private static final int MORE_THAN_THERE_MAY_BE = Connections.CONNECTIONS_MAX + 50;

    private final List<Socket> slow = new ArrayList<>();
    private ApiScene scene;

    @BeforeEach
    void open() throws Exception {
        scene = new ApiScene(Tokens.NONE);
    }

    @AfterEach
    void close() throws Exception {
        for (Socket socket : slow) {
            socket.close();
        }
        scene.close();
    }

    private void connect(int clients, String begin) throws IOException {
        for (int i = 0; i < clients; i++) {
            Socket socket = new Socket("127.0.0.1", scene.server.port());
            slow.add(socket);
            socket.getOutputStream().write(begin.getBytes(UTF_8));
        }
    }

    /** Each sends one more byte now and then, so that it never is idle. */
    private boolean allAreClosed() {
        slow.removeIf(socket -> {
            try {
                socket.getOutputStream().write('x');
                return false;
            } catch (IOException closed) {
                return true;
            }
        });
        return slow.isEmpty();
    }

    private void assertHealthAnswers() throws Exception {
        for (int i = 0; i < 20; i++) {
            assertThat(scene.raw("GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                    .startsWith("HTTP/1.1 200");
        }
    }

    @Test
    void health_answers_while_more_clients_than_there_may_be_never_end_their_heads() throws Exception {
        connect(MORE_THAN_THERE_MAY_BE, "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX: ");
        assertHealthAnswers();
        Eventually.until("all are closed, though they send on", this::allAreClosed);
        assertHealthAnswers();
    }

    @Test
    void health_answers_while_hundreds_of_clients_never_end_their_bodies() throws Exception {
        connect(
                200,
                "POST /api/v1/pause HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        + "Content-Length: 60000\r\n\r\n{");
        assertHealthAnswers();
        assertThat(scene.post("/api/v1/pause", "{\"topic\":\"t\"}").statusCode())
                .isIn(200, 429);
        Eventually.until("all are closed, though they send on", this::allAreClosed);
        assertThat(scene.post("/api/v1/pause", "{\"topic\":\"t\"}").statusCode())
                .isEqualTo(200);
    }
}
