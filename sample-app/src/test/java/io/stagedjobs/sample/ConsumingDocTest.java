package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.DocumentedCode;
import io.stagedjobs.testkit.TestKafka;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;

/** What the documents say to those who read jobs, or depend on the library. */
class ConsumingDocTest {

    private static final Path THIS = Path.of("src/test/java/io/stagedjobs/sample/ConsumingDocTest.java");

    private final List<String> handled = new ArrayList<>();

    @Test
    void a_consumer_reads_committed_jobs_and_nothing_that_was_aborted() throws Exception {
        String bootstrapServers = TestKafka.shared().bootstrapServers();
        String topic = TestKafka.shared().newTopic("consumed", 1);
        try (KafkaProducer<String, String> enqueuer = new KafkaProducer<>(
                Map.of("bootstrap.servers", bootstrapServers, "transactional.id", topic),
                new StringSerializer(),
                new StringSerializer())) {
            enqueuer.initTransactions();
            enqueuer.beginTransaction();
            enqueuer.send(job(topic, "aborted"));
            enqueuer.flush();
            enqueuer.abortTransaction();
            enqueuer.beginTransaction();
            enqueuer.send(job(topic, "committed"));
            enqueuer.commitTransaction();
        }

        // consuming:java
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", bootstrapServers,
                "group.id", "mailer",
                "isolation.level", "read_committed",
                "auto.offset.reset", "earliest",
                "enable.auto.commit", "false");
        try (KafkaConsumer<String, byte[]> consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (!stopped()) {
                for (ConsumerRecord<String, byte[]> job : consumer.poll(Duration.ofSeconds(1))) {
                    String id = new String(job.headers().lastHeader("ce_id").value(), UTF_8);
                    String name = new String(job.headers().lastHeader("ce_type").value(), UTF_8);
                    handle(id, name, job.value());
                }
                consumer.commitSync();
            }
        }
        // end

        assertThat(handled).containsExactly("committed user.created {}");
    }

    @Test
    void its_example_is_this_one() {
        assertThat(DocumentedCode.blocks(Path.of("../docs/consuming.md"), "java"))
                .isNotEmpty()
                .isEqualTo(DocumentedCode.regions(THIS, "consuming"));
    }

    @Test
    void the_version_that_the_readme_says_to_depend_on_is_the_one_that_is_built() throws Exception {
        String version =
                Files.readString(Path.of("../pom.xml")).replaceFirst("(?s).*?<version>(.*?)</version>.*", "$1");

        assertThat(DocumentedCode.blocks(Path.of("../README.md"), "xml"))
                .singleElement()
                .asString()
                .contains("<artifactId>staged-jobs-core</artifactId>", "<version>" + version + "</version>");
    }

    private boolean stopped() {
        return !handled.isEmpty();
    }

    private void handle(String id, String name, byte[] payload) {
        handled.add(id + " " + name + " " + new String(payload, UTF_8));
    }

    private static ProducerRecord<String, String> job(String topic, String id) {
        ProducerRecord<String, String> job = new ProducerRecord<>(topic, "key", "{}");
        job.headers().add("ce_id", id.getBytes(UTF_8)).add("ce_type", "user.created".getBytes(UTF_8));
        return job;
    }
}
