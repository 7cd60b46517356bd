package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.TestKafka;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;

class JobPrinterTest {

    private static final String KAFKA = TestKafka.shared().bootstrapServers();
    private static final Duration SOON = Duration.ofSeconds(60);

    private final String topic = "printed-" + UUID.randomUUID();
    private final List<String> lines = new CopyOnWriteArrayList<>();

    @Test
    void prints_one_line_for_each_job_and_never_a_payload() throws Exception {
        try (JobPrinter printer = new JobPrinter(KAFKA, topic, lines::add);
                KafkaProducer<String, String> producer = new KafkaProducer<>(
                        Map.of("bootstrap.servers", KAFKA), new StringSerializer(), new StringSerializer())) {
            printer.start(); // creates the topic

            ProducerRecord<String, String> job = new ProducerRecord<>(topic, 0, "7\nforged line", "secret");
            job.headers().add("ce_type", "user.created".getBytes(UTF_8)).add("ce_id", "some id".getBytes(UTF_8));
            producer.send(job).get();
            producer.send(new ProducerRecord<>(topic, 0, null, (String) null)).get();

            assertThat(printer.awaitPrinted(2, SOON)).isEqualTo(2);
            assertThat(lines).containsExactly(topic + " key=7?forged line user.created some id", topic + " key=- - -");
        }
    }

    @Test
    void goes_on_where_it_was_stopped() throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", KAFKA), new StringSerializer(), new StringSerializer())) {
            TestKafka.shared().createTopic(topic, 1);
            producer.send(new ProducerRecord<>(topic, "first", "")).get();
            try (JobPrinter printer = new JobPrinter(KAFKA, topic, lines::add)) {
                printer.start();
                assertThat(printer.awaitPrinted(1, SOON)).isEqualTo(1);
            }
            producer.send(new ProducerRecord<>(topic, "second", "")).get();
            try (JobPrinter printer = new JobPrinter(KAFKA, topic, lines::add)) {
                printer.start();
                assertThat(printer.awaitPrinted(1, SOON)).isPositive();
                // At least once: the first may come again, but nothing is left out.
                printer.awaitPrinted(lines.contains(topic + " key=second - -") ? 1 : 2, SOON);
            }
        }
        assertThat(lines).contains(topic + " key=first - -", topic + " key=second - -");
    }
}
