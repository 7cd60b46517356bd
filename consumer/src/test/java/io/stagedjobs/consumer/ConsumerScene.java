package io.stagedjobs.consumer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/** A topic of jobs, a database for their effects, and consumers. */
final class ConsumerScene implements AutoCloseable {

    static final TestKafka KAFKA = TestKafka.shared();
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    final TestDatabase database;
    final DSLContext dsl;
    final UnitOfWork unit;
    final String topic;

    /** The numbers of the published jobs, by key. */
    final Map<String, List<Integer>> published = new TreeMap<>();

    private final KafkaProducer<String, byte[]> producer;
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private int next;

    ConsumerScene(int partitions) throws Exception {
        database = TestPostgres.shared().newDatabase("consumer");
        HikariDataSource pool = keep(pool(database.url(), database.username(), database.password()));
        dsl = DSL.using(pool, SQLDialect.POSTGRES);
        unit = UnitOfWork.on(pool);
        topic = KAFKA.newTopic("consumer", partitions);
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.migrate(connection);
            InboxSchema.migrate(connection, Schema.PUBLIC);
        }
        dsl.execute("CREATE TABLE effects (place bigserial, key text, number int)");
        producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", KAFKA.bootstrapServers()),
                new StringSerializer(),
                new ByteArraySerializer());
    }

    static HikariDataSource pool(String url, String username, String password) {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(url);
        config.setUsername(username);
        config.setPassword(password);
        config.setMaximumPoolSize(20);
        config.setMinimumIdle(0);
        return new HikariDataSource(config);
    }

    /** What an enqueuer would publish. */
    void publish(String key, String name, byte[] payload, UUID id) {
        ProducerRecord<String, byte[]> record = new ProducerRecord<>(topic, key, payload);
        record.headers().add("ce_id", id.toString().getBytes(UTF_8)).add("ce_type", name.getBytes(UTF_8));
        producer.send(record);
    }

    /** Publishes numbered jobs, in turns of the keys. */
    void publish(int keys, int jobsOfEach) {
        for (int i = 0; i < jobsOfEach; i++) {
            for (int key = 0; key < keys; key++) {
                publish("k" + key, next++);
            }
        }
        producer.flush();
    }

    void publish(String key, int number) {
        publish(key, "numbered", String.valueOf(number).getBytes(UTF_8), UUID.randomUUID());
        published.computeIfAbsent(key, unseen -> new ArrayList<>()).add(number);
    }

    void flush() {
        producer.flush();
    }

    /** Its handler writes one row for each job. */
    JobConsumer.Builder numbered() {
        return JobConsumer.named(topic)
                .topics(topic)
                .on("numbered", Integer.class, (work, job) -> work.dsl()
                        .execute("INSERT INTO effects (key, number) VALUES (?, ?)", job.key(), job.payload()))
                .database(unit)
                .kafka(Map.of("bootstrap.servers", KAFKA.bootstrapServers()))
                .retry(Retry.from(Duration.ofMillis(20)).upTo(Duration.ofMillis(200)));
    }

    JobConsumer start(JobConsumer.Builder consumer) {
        JobConsumer started = consumer.start();
        opened.push(started);
        return started;
    }

    <T extends AutoCloseable> T keep(T resource) {
        opened.push(resource);
        return resource;
    }

    int effects() {
        return dsl.fetchCount(DSL.table("effects"));
    }

    void awaitEffects(int wanted) throws Exception {
        Eventually.until(wanted + " effects", PATIENCE, () -> effects() >= wanted);
    }

    /** Waits until each published job has its effect, and checks that it is the only one, in the order of its key. */
    void checkAll() throws Exception {
        awaitEffects(published.values().stream().mapToInt(List::size).sum());
        Map<String, List<Integer>> effects = new TreeMap<>(dsl.fetch("SELECT key, number FROM effects ORDER BY place")
                .intoGroups(row -> row.get("key", String.class), row -> row.get("number", Integer.class)));
        assertThat(effects).isEqualTo(published);
    }

    /** The offsets that the group has committed, by partition. */
    Map<TopicPartition, Long> committed() throws Exception {
        Map<TopicPartition, Long> committed = new TreeMap<>((a, b) -> Integer.compare(a.partition(), b.partition()));
        KAFKA.admin()
                .listConsumerGroupOffsets(topic)
                .partitionsToOffsetAndMetadata()
                .get()
                .forEach((partition, offset) -> committed.put(partition, offset.offset()));
        return committed;
    }

    @Override
    public void close() throws Exception {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
        producer.close();
    }
}
