package io.stagedjobs.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The relay that everybody writes first, written well: one thread, one connection, an index in id order, prepared
 * statements, the same producer settings as ours. It loses what commits out of order, and stands still with its thread.
 */
final class TextbookLoop {

    private static final int ROWS_MAX = 1_000;
    private static final int IDLE_MILLIS = 10;

    private TextbookLoop() {}

    /** Arguments: JDBC URL, user, password, bootstrap servers. */
    public static void main(String[] args) throws Exception {
        try (Connection connection = DriverManager.getConnection(args[0], args[1], args[2]);
                KafkaProducer<byte[], byte[]> producer =
                        new KafkaProducer<>(producer(args[3]), new ByteArraySerializer(), new ByteArraySerializer());
                PreparedStatement select = connection.prepareStatement(
                        "SELECT id, topic, job_key, payload FROM outbox ORDER BY id LIMIT " + ROWS_MAX);
                PreparedStatement delete = connection.prepareStatement("DELETE FROM outbox WHERE id <= ?")) {
            connection.setAutoCommit(false);
            while (!Thread.currentThread().isInterrupted()) {
                if (!moved(select, delete, producer)) {
                    connection.rollback();
                    Thread.sleep(IDLE_MILLIS);
                } else {
                    connection.commit();
                }
            }
        }
    }

    /** The properties of our own producers. */
    static Map<String, Object> producer(String bootstrapServers) {
        return Map.of(
                "bootstrap.servers",
                bootstrapServers,
                "acks",
                "all",
                "enable.idempotence",
                true,
                "compression.type",
                "lz4",
                "batch.size",
                256 * 1024,
                "linger.ms",
                1);
    }

    private static boolean moved(
            PreparedStatement select, PreparedStatement delete, KafkaProducer<byte[], byte[]> producer)
            throws Exception {
        long last = -1;
        Future<RecordMetadata> sent = null;
        try (ResultSet rows = select.executeQuery()) {
            while (rows.next()) {
                last = rows.getLong(1);
                String key = rows.getString(3);
                sent = producer.send(new ProducerRecord<>(
                        rows.getString(2), key == null ? null : key.getBytes(UTF_8), rows.getBytes(4)));
            }
        }
        if (sent == null) {
            return false;
        }
        producer.flush();
        sent.get(); // any earlier failure fails the idempotent producer as a whole
        delete.setLong(1, last);
        delete.executeUpdate();
        return true;
    }
}
