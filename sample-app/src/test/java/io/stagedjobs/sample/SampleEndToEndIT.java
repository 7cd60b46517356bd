package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** From a request over the real enqueuer to the consumer and the auditor. */
class SampleEndToEndIT {

    private static final String KAFKA = TestKafka.shared().bootstrapServers();
    private static final Duration SOON = Duration.ofSeconds(60);

    private final List<String> arrivals = new CopyOnWriteArrayList<>();
    private SampleTables tables;
    private String topic;
    private SampleApp app;
    private SampleClient client;
    private Auditor auditor;

    @BeforeEach
    void start() {
        tables = SampleTables.createIn(TestPostgres.shared());
        topic = TestKafka.shared().newTopic("end-to-end");
        Map<String, String> environment = new HashMap<>(Map.of(
                "SAMPLE_DATABASE_URL",
                tables.database.url(),
                "SAMPLE_DATABASE_USERNAME",
                tables.database.username(),
                "SAMPLE_DATABASE_PASSWORD",
                tables.database.password(),
                "SAMPLE_KAFKA_BOOTSTRAP_SERVERS",
                KAFKA,
                "SAMPLE_HTTP_PORT",
                "0",
                "SAMPLE_FAILURES",
                "allowed"));
        app = SampleApp.start(SampleSettings.from(environment), topic, arrivals::add);
        client = new SampleClient(app.url());
        auditor = new Auditor(tables.database.dataSource(), KAFKA, topic);
    }

    @AfterEach
    void stop() {
        app.close();
    }

    @Test
    void what_was_committed_arrives_once_and_what_was_rolled_back_never() throws Exception {
        client.put("ada@example.org");
        client.put("bob@example.org", "Sample-Fail", "after-staging");
        client.put("ada@example.org");
        client.put("cleo@example.org");

        Launcher.drain(tables, KAFKA);

        AuditReport report = auditor.audit();
        assertThat(report.passed()).as(report.summary()).isTrue();
        assertThat(report.actions()).isEqualTo(2);
        assertThat(report.records()).isEqualTo(2);
        assertThat(app.printer().awaitPrinted(2, SOON)).isEqualTo(2);
        assertThat(arrivals).allMatch(line -> line.matches(topic + " key=\\d+ user\\.created [0-9a-f-]{36}"));
    }

    @Test
    void the_audit_misses_a_job_that_somebody_took_away() {
        client.put("ada@example.org");
        client.put("bob@example.org");
        tables.dsl.execute("DELETE FROM staged_jobs WHERE job_key ="
                + " (SELECT id::text FROM users WHERE email = 'bob@example.org')");

        Launcher.drain(tables, KAFKA);

        AuditReport report = auditor.audit();
        assertThat(report.passed()).isFalse();
        assertThat(report.lost()).singleElement().asString().contains("(created, user ");
        assertThat(report.invented()).isEmpty();
    }
}
