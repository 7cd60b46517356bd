package io.stagedjobs.consumer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import io.stagedjobs.StagedJob;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import io.stagedjobs.testkit.jobs.TestEnqueuer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The inbox alone: jobs come by a loop around Kafka's own consumer, or by HTTP. */
class InboxInUseTest {

    private static final TestKafka KAFKA = TestKafka.shared();
    private static final int JOBS = 20;

    private final Inbox inbox = Inbox.named("mailer");

    private TestDatabase database;
    private DSLContext dsl;
    private UnitOfWork unit;
    private String topic;

    @BeforeEach
    void open() throws Exception {
        database = TestPostgres.shared().newDatabase("use");
        dsl = DSL.using(database.dataSource(), SQLDialect.POSTGRES);
        unit = UnitOfWork.on(database.dataSource());
        topic = KAFKA.newTopic("use", 1);
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.migrate(connection);
            InboxSchema.migrate(connection, Schema.PUBLIC);
        }
        dsl.execute("CREATE TABLE mails (number int, job_id uuid)");
    }

    private List<Integer> mails() {
        return dsl.fetch("SELECT number FROM mails ORDER BY number").getValues(0, Integer.class);
    }

    private static final class Crash extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** Reads from the last committed offset, and crashes before it commits the next. */
    private void readAndCrash(int crashAfter) {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", KAFKA.bootstrapServers(),
                "group.id", "mailer-" + topic,
                "isolation.level", "read_committed",
                "auto.offset.reset", "earliest",
                "enable.auto.commit", "false");
        try (KafkaConsumer<String, byte[]> consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            int read = 0;
            while (read < JOBS) {
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    Job<Integer> job = Job.from(record).as(Integer.class);
                    unit.run(work -> inbox.once(work, job.id(), () -> work.dsl()
                            .execute("INSERT INTO mails VALUES (?, ?)", job.payload(), job.id())));
                    read++;
                    if (read == crashAfter) {
                        throw new Crash();
                    }
                }
            }
            consumer.commitSync();
        } catch (Crash crash) {
            // its offsets are not committed: all comes again
        }
    }

    @Test
    void a_loop_around_kafka_s_own_consumer_that_crashes_before_it_commits_has_each_effect_once() throws Exception {
        unit.run(work -> {
            for (int i = 0; i < JOBS; i++) {
                work.stage(
                        StagedJob.builder(topic, "mail.wanted").key("k").json(i).build());
            }
        });
        TestEnqueuer.from(database.url(), database.username(), database.password())
                .to(KAFKA.bootstrapServers())
                .drain();
        for (int crashAfter : new int[] {1, JOBS / 2, JOBS, JOBS + 1}) {
            readAndCrash(crashAfter);
        }
        assertThat(mails()).hasSize(JOBS).doesNotHaveDuplicates();
    }

    @Test
    void a_webhook_that_is_sent_twice_has_its_effect_once() throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/hook", exchange -> {
            UUID id = UUID.fromString(exchange.getRequestHeaders().getFirst("ce-id"));
            int number = Integer.parseInt(new String(exchange.getRequestBody().readAllBytes(), UTF_8));
            boolean first = unit.call(work ->
                    inbox.once(work, id, () -> work.dsl().execute("INSERT INTO mails VALUES (?, ?)", number, id)));
            exchange.sendResponseHeaders(first ? 201 : 200, -1);
            exchange.close();
        });
        server.start();
        try {
            HttpRequest request = HttpRequest.newBuilder(
                            URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/hook"))
                    .header("ce-id", UUID.randomUUID().toString())
                    .POST(BodyPublishers.ofString("7"))
                    .build();
            HttpClient client = HttpClient.newHttpClient();
            assertThat(client.send(request, BodyHandlers.discarding()).statusCode())
                    .isEqualTo(201);
            assertThat(client.send(request, BodyHandlers.discarding()).statusCode())
                    .isEqualTo(200);
        } finally {
            server.stop(0);
        }
        assertThat(mails()).containsExactly(7);
    }
}
