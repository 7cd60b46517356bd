package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpResponse;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Ten million jobs that wait and 100 000 that are parked; prints how long the answers take. */
@Tag("long")
class LargeOutboxTest {

    private static final int WAITING = 10_000_000;
    private static final int PARKED = 100_000;
    private static final Duration ASKED_FOR = Duration.ofSeconds(6);

    private ApiScene scene;

    @BeforeEach
    void open() throws Exception {
        scene = new ApiScene(Tokens.NONE);
    }

    @AfterEach
    void close() throws Exception {
        scene.close();
    }

    private void ask(String when) throws Exception {
        for (String path : List.of(
                "/api/v1/status",
                "/api/v1/topics",
                "/api/v1/jobs",
                "/api/v1/jobs?topic=rare&limit=500",
                "/api/v1/jobs/77777")) {
            long slowest = 0;
            String body = "";
            // An answer is shared for a second: so long that several of them are readings of their own.
            long end = System.nanoTime() + ASKED_FOR.toNanos();
            while (System.nanoTime() - end < 0) {
                long begun = System.nanoTime();
                HttpResponse<String> answer = scene.get(path);
                slowest = Math.max(slowest, System.nanoTime() - begun);
                assertThat(answer.statusCode()).as(path + " " + answer.body()).isIn(200, 404);
                body = answer.body();
            }
            System.out.printf("%s: %s answers within %d ms: %.160s%n", when, path, slowest / 1_000_000, body);
        }
    }

    @Test
    void the_answers_come_in_a_time_that_does_not_grow_with_the_tables() throws Exception {
        scene.moveAside("parked", "orders", "too large", 1, PARKED);
        try (Connection connection = scene.outbox.database.connect();
                Statement statement = connection.createStatement()) {
            statement.execute("ALTER TABLE staged_jobs DISABLE TRIGGER staged_jobs_before_insert");
            statement.execute("INSERT INTO staged_jobs (lane, topic, job_key, job_name, payload)"
                    + " SELECT n % 8, 'topic.' || n % 7, (n % 5000)::text, 'n', '\\x7b7d' FROM generate_series(1, "
                    + WAITING + ") AS n");
        }
        ask("fresh");
        try (Connection reader = scene.outbox.transaction();
                Statement snapshot = reader.createStatement()) {
            snapshot.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
            snapshot.execute("SELECT count(*) FROM staged_job_lanes");
            scene.outbox
                    .dsl()
                    .execute("DELETE FROM staged_jobs WHERE id <= (SELECT min(id) + 4999999 FROM staged_jobs)");
            ask("half of them deleted under an old snapshot");
        }
    }
}
