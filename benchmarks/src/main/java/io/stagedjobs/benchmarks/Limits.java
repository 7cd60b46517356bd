package io.stagedjobs.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.testkit.TestDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What bounds every relay on this machine: taking the rows out of PostgreSQL, and producing the same bytes, each alone
 * and in this process, before the relays. A relay that did both on one processor after the other could reach the last
 * row.
 */
final class Limits {

    private static final int BATCH = 2_000;
    private static final int PARTITIONS = 8;

    private final Servers servers;
    private final Scene scene;
    private final int jobs;

    Limits(Servers servers, Scene scene, int jobs) {
        this.servers = servers;
        this.scene = scene;
        this.jobs = jobs;
    }

    void measure(Figures figures) throws Exception {
        double delete = delete();
        double produce = produce();
        figures.add("DELETE … RETURNING alone", "jobs/s", delete);
        figures.add("producer alone", "jobs/s", produce);
        figures.add("both limits combined", "jobs/s", 1 / (1 / delete + 1 / produce));
    }

    /** One connection, in id order, our table. */
    private double delete() throws Exception {
        TestDatabase database = servers.postgres.newDatabase("limit");
        try (Connection connection = database.connect();
                Statement statement = connection.createStatement()) {
            Relay ours = scene.ours();
            ours.install(database);
            ours.stage(connection, "limit", scene.keys, scene.bytes, 1, jobs);
            statement.execute("CHECKPOINT");
            connection.setAutoCommit(false);
            long start = System.nanoTime();
            int deleted = 0;
            try (PreparedStatement delete =
                    connection.prepareStatement("DELETE FROM staged_jobs WHERE lane = 0 AND id BETWEEN ? AND ?"
                            + " RETURNING id, job_id, topic, job_key, job_name, payload, headers::text, staged_at")) {
                for (long id = 1; id <= jobs; id += BATCH) {
                    delete.setLong(1, id);
                    delete.setLong(2, id + BATCH - 1);
                    try (ResultSet rows = delete.executeQuery()) {
                        while (rows.next()) {
                            deleted += rows.getBytes(6).length > 0 ? 1 : 0;
                        }
                    }
                    connection.commit();
                }
            }
            double rate = deleted / ((System.nanoTime() - start) / 1e9);
            if (deleted != jobs) {
                throw new IllegalStateException(deleted + " rows deleted, and not " + jobs);
            }
            connection.setAutoCommit(true);
            return rate;
        } finally {
            try (Connection connection = servers.postgres.database("postgres").connect();
                    Statement statement = connection.createStatement()) {
                statement.execute("DROP DATABASE " + database.name() + " WITH (FORCE)");
            }
        }
    }

    private double produce() throws Exception {
        String topic = servers.kafka.newTopic("limit", PARTITIONS);
        Map<String, Object> properties = TextbookLoop.producer(servers.kafka.bootstrapServers());
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (int partition = 0; partition < PARTITIONS; partition++) {
                producer.send(new ProducerRecord<>(topic, partition, null, new byte[0]))
                        .get();
            }
            long start = System.nanoTime();
            Future<RecordMetadata> sent = null;
            for (int n = 1; n <= jobs; n++) {
                byte[] key = ("k" + n % scene.keys).getBytes(UTF_8);
                sent = producer.send(new ProducerRecord<>(topic, key, Payload.of(n, scene.bytes)));
            }
            producer.flush();
            if (sent != null) {
                sent.get(); // any earlier failure fails the idempotent producer as a whole
            }
            return jobs / ((System.nanoTime() - start) / 1e9);
        } finally {
            servers.kafka.deleteTopic(topic);
        }
    }
}
