package io.stagedjobs.benchmarks.namastack;

import io.namastack.outbox.annotation.OutboxHandler;
import io.namastack.outbox.handler.OutboxRecordMetadata;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;

/** Handles every record of the outbox: it returns when the broker has it, or the row would be gone too early. */
@Component
public class KafkaSender implements AutoCloseable {

    private final KafkaProducer<String, String> producer;
    private final String topic;

    /** With the properties of our own producers. */
    KafkaSender(@Value("${BOOTSTRAP_SERVERS}") String bootstrapServers, @Value("${TOPIC}") String topic) {
        this.topic = topic;
        this.producer = new KafkaProducer<>(
                Map.of(
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
                        1),
                new StringSerializer(),
                new StringSerializer());
    }

    /** Rows name this method and its parameters, see what the benchmark stages. */
    @OutboxHandler
    public void handle(String payload, OutboxRecordMetadata metadata) throws Exception {
        producer.send(new ProducerRecord<>(topic, metadata.getKey(), payload)).get();
    }

    @Override
    public void close() {
        producer.close();
    }
}
