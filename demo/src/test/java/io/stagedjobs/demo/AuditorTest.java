package io.stagedjobs.demo;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.sample.SampleApp;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.io.IOException;
import java.io.InputStream;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Two users with two actions each, and records written by hand in place of the enqueuer. */
class AuditorTest {

    private static KafkaProducer<String, String> producer;
    private static TestDatabase database;
    private static DSLContext dsl;

    private String topic;
    private Auditor auditor;
    private Action adaCreated;
    private Action adaRenamed;
    private Action bobCreated;
    private Action bobRenamed;

    private record Action(long id, String key, String type) {}

    @BeforeAll
    static void start() throws IOException {
        producer = producer(Map.of());
        database = TestPostgres.shared().newDatabase("audit");
        dsl = DSL.using(database.dataSource(), SQLDialect.POSTGRES);
        try (InputStream schema = SampleApp.class.getResourceAsStream("schema.sql")) {
            dsl.execute(new String(schema.readAllBytes(), UTF_8));
        }
    }

    @AfterAll
    static void stop() {
        producer.close();
    }

    @BeforeEach
    void storeActions() {
        topic = TestKafka.shared().newTopic("audit", 2);
        auditor = new Auditor(database.dataSource(), TestKafka.shared().bootstrapServers(), topic);
        dsl.execute("TRUNCATE users, user_actions, orders");
        adaCreated = act(user("ada@example.org"), "created");
        bobCreated = act(user("bob@example.org"), "created");
        adaRenamed = act(Long.parseLong(adaCreated.key()), "renamed");
        bobRenamed = act(Long.parseLong(bobCreated.key()), "renamed");
    }

    @Test
    void passes_if_each_action_has_one_record_in_the_order_of_its_key() {
        publish(adaCreated);
        publish(adaRenamed);
        publish(bobCreated);
        publish(bobRenamed);

        AuditReport report = auditor.audit();

        assertThat(report.passed()).as(report.summary()).isTrue();
        assertThat(report.actions()).isEqualTo(4);
        assertThat(report.records()).isEqualTo(4);
        assertThat(report.lags()).hasSize(4);
        assertThat(report.summary()).startsWith("PASSED: 4 actions stored, 4 records in Kafka; 0 lost");
    }

    @Test
    void passes_if_nothing_was_stored_and_nothing_published() {
        dsl.execute("TRUNCATE users, user_actions, orders");

        assertThat(auditor.audit().passed()).isTrue();
    }

    @Test
    void fails_if_one_record_is_missing() {
        publish(adaCreated);
        publish(bobCreated);
        publish(bobRenamed);

        AuditReport report = auditor.audit();

        assertThat(report.passed()).isFalse();
        assertThat(report.lost())
                .singleElement()
                .asString()
                .contains("action " + adaRenamed.id() + " (renamed, user " + adaRenamed.key() + ")");
        assertThat(report.invented()).isEmpty();
        assertThat(report.summary()).startsWith("FAILED").contains("1 lost").contains("\n  lost: action");
    }

    @Test
    void fails_if_a_record_tells_of_a_transaction_that_was_rolled_back() {
        publishAll();
        publish(new Action(adaCreated.id() + 1_000, adaCreated.key(), "user.renamed"));

        AuditReport report = auditor.audit();

        assertThat(report.passed()).isFalse();
        assertThat(report.invented()).singleElement().asString().contains("is not stored");
        assertThat(report.lost()).isEmpty();
    }

    @Test
    void fails_if_a_record_names_an_action_but_not_as_it_was() {
        publishAll();
        publish(new Action(adaCreated.id(), bobCreated.key(), adaCreated.type()));
        publish(new Action(adaCreated.id(), adaCreated.key(), "user.deleted"));

        assertThat(auditor.audit().invented()).hasSize(2);
    }

    @Test
    void fails_if_a_record_is_none_of_ours() {
        publishAll();
        send(new ProducerRecord<>(topic, null, "no JSON"));
        send(new ProducerRecord<>(topic, "tombstone", null));
        send(new ProducerRecord<>(topic, adaCreated.key(), "{\"actionId\":" + adaCreated.id() + "}"));

        assertThat(auditor.audit().invented()).hasSize(3);
    }

    @Test
    void passes_if_somebody_else_has_staged_a_job_of_another_name_and_says_so() {
        publishAll();
        ProducerRecord<String, String> greeting = new ProducerRecord<>(topic, null, "{\"hello\": \"world\"}");
        greeting.headers().add("ce_type", "user.greeted".getBytes(UTF_8));
        send(greeting);

        AuditReport report = auditor.audit();

        assertThat(report.passed()).as(report.summary()).isTrue();
        assertThat(report.records()).isEqualTo(4);
        assertThat(report.summary()).contains("1 of other names, staged by somebody else");
    }

    @Test
    void fails_if_an_action_is_told_twice() {
        publishAll();
        publish(adaRenamed);

        AuditReport report = auditor.audit();

        assertThat(report.passed()).isFalse();
        assertThat(report.repeated()).singleElement().asString().contains("action " + adaRenamed.id() + " ");
        assertThat(report.overtaken()).isEmpty();
        assertThat(report.lost()).isEmpty();
    }

    @Test
    void fails_if_two_records_have_one_id() {
        UUID id = UUID.randomUUID();
        publish(adaCreated, id);
        publish(adaRenamed, id);
        publish(bobCreated);
        publish(bobRenamed);

        assertThat(auditor.audit().repeated()).singleElement().asString().contains(id.toString());
    }

    @Test
    void fails_if_a_record_overtakes_an_earlier_one_of_its_key() {
        publish(adaRenamed);
        publish(adaCreated);
        publish(bobCreated);
        publish(bobRenamed);

        AuditReport report = auditor.audit();

        assertThat(report.passed()).isFalse();
        assertThat(report.overtaken())
                .singleElement()
                .asString()
                .contains("action " + adaCreated.id() + " ")
                .contains("comes after action " + adaRenamed.id() + " ");
    }

    @Test
    void fails_if_one_key_is_on_two_partitions() {
        publish(bobCreated);
        publish(bobRenamed);
        send(record(adaCreated, UUID.randomUUID(), 0));
        send(record(adaRenamed, UUID.randomUUID(), 1));

        assertThat(auditor.audit().overtaken()).singleElement().asString().contains("partition");
    }

    @Test
    void does_not_see_records_of_an_aborted_kafka_transaction() {
        publishAll();
        try (KafkaProducer<String, String> transactional =
                producer(Map.of("transactional.id", "audit-" + UUID.randomUUID()))) {
            transactional.initTransactions();
            transactional.beginTransaction();
            transactional.send(record(adaRenamed, UUID.randomUUID(), null));
            transactional.flush();
            transactional.abortTransaction();
        }

        assertThat(auditor.audit().passed()).isTrue();
        assertThat(auditor.audit().records()).isEqualTo(4);
    }

    private static long user(String email) {
        return dsl.fetchSingle("INSERT INTO users (email) VALUES (?) RETURNING id", email)
                .into(long.class);
    }

    private static Action act(long user, String action) {
        long id = dsl.fetchSingle("INSERT INTO user_actions (user_id, action) VALUES (?, ?) RETURNING id", user, action)
                .into(long.class);
        return new Action(id, Long.toString(user), "user." + action);
    }

    private void publishAll() {
        publish(adaCreated);
        publish(bobCreated);
        publish(adaRenamed);
        publish(bobRenamed);
    }

    private void publish(Action action) {
        publish(action, UUID.randomUUID());
    }

    private void publish(Action action, UUID id) {
        send(record(action, id, null));
    }

    private ProducerRecord<String, String> record(Action action, UUID id, Integer partition) {
        ProducerRecord<String, String> record =
                new ProducerRecord<>(topic, partition, action.key(), "{\"actionId\":" + action.id() + "}");
        record.headers().add("ce_id", id.toString().getBytes(UTF_8));
        record.headers().add("ce_type", action.type().getBytes(UTF_8));
        record.headers().add("ce_time", Instant.now().toString().getBytes(UTF_8));
        return record;
    }

    private static void send(ProducerRecord<String, String> record) {
        try {
            producer.send(record).get();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static KafkaProducer<String, String> producer(Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(more);
        settings.put("bootstrap.servers", TestKafka.shared().bootstrapServers());
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }
}
