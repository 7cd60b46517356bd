package io.stagedjobs.benchmarks.gruelbox;

import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** What the scheduled invocations call. It returns when the broker has the record; before, the row must not go. */
public class KafkaSender implements AutoCloseable {

    private final KafkaProducer<String, String> producer;

    /** With the properties of our own producers. */
    KafkaSender(String bootstrapServers) {
        producer = new KafkaProducer<>(
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

    /** Called by name, see the rows that the benchmark stages. */
    public void send(String topic, String key, String payload) throws Exception {
        producer.send(new ProducerRecord<>(topic, key, payload)).get();
    }

    @Override
    public void close() {
        producer.close();
    }
}
