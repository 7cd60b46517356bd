package io.stagedjobs.consumer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.UnitOfWork;
import io.stagedjobs.Work;
import io.stagedjobs.testkit.DocumentedCode;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Map;
import java.util.UUID;
import javax.sql.DataSource;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The examples of docs/consumers.md. A region from {@code // consumers:…} to {@code // end} stands there word for word.
 */
class ConsumersDocTest {

    private static final Path THIS = Path.of("src/test/java/io/stagedjobs/consumer/ConsumersDocTest.java");

    private ConsumerScene scene;
    private DataSource dataSource;
    private String bootstrapServers;

    private final Mails mails = new Mails();

    record UserCreated(String email) {}

    /** What the handlers do. */
    private static final class Mails {
        void write(Work work, String email) {
            work.dsl().execute("INSERT INTO effects (key, number) VALUES (?, 1)", email);
        }
    }

    @BeforeEach
    void open() throws Exception {
        scene = new ConsumerScene(1);
        dataSource = scene.database.dataSource();
        bootstrapServers = ConsumerScene.KAFKA.bootstrapServers();
        scene.publish("ada", "user.created", "{\"email\":\"ada@example.org\"}".getBytes(UTF_8), UUID.randomUUID());
        scene.flush();
    }

    @AfterEach
    void close() throws Exception {
        scene.close();
    }

    @Test
    void a_consumer_in_a_few_lines() throws Exception {
        String topic = scene.topic;
        // consumers:run
        JobConsumer mailer = JobConsumer.named("mailer")
                .topics(topic)
                .on(
                        "user.created",
                        UserCreated.class,
                        (work, job) -> mails.write(work, job.payload().email()))
                .database(UnitOfWork.on(dataSource))
                .kafka(Map.of("bootstrap.servers", bootstrapServers))
                .start();
        // end
        scene.keep(mailer);
        scene.awaitEffects(1);
    }

    @Test
    void the_inbox_alone() throws Exception {
        ConsumerRecord<byte[], byte[]> record =
                ConsumerScene.KAFKA.readAll(java.util.List.of(scene.topic)).get(0);
        for (int i = 0; i < 2; i++) {
            read(record);
        }
        assertThat(scene.effects()).isEqualTo(1);
        plainJdbc(Job.from(record).id());
        assertThat(scene.dsl.fetchCount(DSL.table("effects"))).isEqualTo(2);
    }

    private void read(ConsumerRecord<byte[], byte[]> record) {
        // consumers:inbox
        Inbox inbox = Inbox.named("mailer");
        UnitOfWork unit = UnitOfWork.on(dataSource);

        Job<UserCreated> job = Job.from(record).as(UserCreated.class);
        unit.run(work ->
                inbox.once(work, job.id(), () -> mails.write(work, job.payload().email())));
        // end
    }

    private void plainJdbc(UUID id) throws SQLException {
        Inbox inbox = Inbox.named("audit");
        // consumers:jdbc
        try (Connection connection = dataSource.getConnection()) {
            connection.setAutoCommit(false);
            if (inbox.claim(connection, id)) {
                connection.createStatement().execute("INSERT INTO effects (key, number) VALUES ('audit', 1)");
            }
            connection.commit();
        }
        // end
    }

    @Test
    void its_examples_are_these() {
        assertThat(DocumentedCode.blocks(Path.of("../docs/consumers.md"), "java"))
                .isNotEmpty()
                .isEqualTo(DocumentedCode.regions(THIS, "consumers"));
    }

    @Test
    void its_sql_works_from_any_language() {
        String sql =
                DocumentedCode.blocks(Path.of("../docs/consumers.md"), "sql").get(0);
        assertThat(scene.dsl
                        .fetchSingle(sql.replace("…", UUID.randomUUID().toString()))
                        .get(0))
                .isEqualTo(true);
    }
}
