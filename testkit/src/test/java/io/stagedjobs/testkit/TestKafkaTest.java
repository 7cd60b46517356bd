package io.stagedjobs.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.FinalizedVersionRange;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;

class TestKafkaTest {

    private static final Duration LONG = Duration.ofSeconds(60);

    @Test
    void the_shared_broker_has_transaction_version_2() throws Exception {
        Map<String, FinalizedVersionRange> features = TestKafka.shared()
                .admin()
                .describeFeatures()
                .featureMetadata()
                .get(60, TimeUnit.SECONDS)
                .finalizedFeatures();

        assertThat(features.get("transaction.version").maxVersionLevel()).isEqualTo((short) 2);
    }

    @Test
    void a_committed_record_is_read_and_an_aborted_one_is_not() throws Exception {
        TestKafka kafka = TestKafka.shared();
        String topic = kafka.newTopic("committed", 2);
        try (KafkaProducer<byte[], byte[]> producer = transactionalProducer(kafka, topic)) {
            producer.beginTransaction();
            producer.send(record(topic, 1, "aborted"));
            producer.flush();
            producer.abortTransaction();
            producer.beginTransaction();
            producer.send(record(topic, 1, "second"));
            producer.send(record(topic, 0, "first"));
            producer.send(record(topic, 1, "third"));
            producer.commitTransaction();
        }

        assertThat(kafka.readAll(List.of(topic)))
                .extracting(TestKafkaTest::text)
                .containsExactly("first", "second", "third");
    }

    /** As it is shortly after a commit was answered: the records are there, their markers not yet. */
    @Test
    void a_reader_waits_for_the_end_of_transactions_that_are_open() throws Exception {
        TestKafka kafka = TestKafka.shared();
        String topic = kafka.newTopic("open", 1);
        try (KafkaProducer<byte[], byte[]> producer = transactionalProducer(kafka, topic)) {
            producer.beginTransaction();
            producer.send(record(topic, 0, "open"));
            producer.flush();

            CompletableFuture<List<ConsumerRecord<byte[], byte[]>>> read =
                    CompletableFuture.supplyAsync(() -> kafka.readAll(List.of(topic)));
            producer.commitTransaction();
            assertThat(read.get(60, TimeUnit.SECONDS))
                    .extracting(TestKafkaTest::text)
                    .containsExactly("open");
        }
    }

    @Test
    void a_topic_that_nobody_created_is_missing() {
        TestKafka kafka = TestKafka.shared();
        String topic = kafka.newTopic("deleted");
        kafka.deleteTopic(topic);

        assertThatThrownBy(() -> kafka.admin()
                        .describeTopics(List.of("never-created"))
                        .allTopicNames()
                        .get(60, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .hasCauseInstanceOf(UnknownTopicOrPartitionException.class);
        assertThatThrownBy(() -> kafka.readAll(List.of(topic)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining(topic);
        assertThatThrownBy(() -> kafka.deleteTopic(topic))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining(topic);
    }

    @Test
    void the_shared_broker_cannot_be_killed_by_one_of_its_tests() {
        assertThatThrownBy(TestKafka.shared()::kill)
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessageContaining("startEmbedded()");
    }

    @Test
    void a_broker_keeps_its_data_across_a_kill_and_a_stop() throws Exception {
        try (TestKafka kafka = TestKafka.startEmbedded(Map.of("message.max.bytes", "2000000"))) {
            String topic = "kept";
            kafka.createTopic(topic, 1, Map.of("cleanup.policy", "compact"));
            try (KafkaProducer<byte[], byte[]> producer = transactionalProducer(kafka, topic)) {
                producer.beginTransaction();
                producer.send(record(topic, 0, "before the kill"));
                producer.commitTransaction();

                kafka.kill();
                assertThat(kafka.process().isRunning()).isFalse();
                kafka.startAgain();

                producer.beginTransaction();
                producer.send(record(topic, 0, "after the kill"));
                producer.commitTransaction();
            }
            kafka.stop();
            kafka.startAgain();

            assertThat(kafka.readAll(List.of(topic)))
                    .extracting(TestKafkaTest::text)
                    .containsExactly("before the kill", "after the kill");
        }
    }

    @Test
    void a_broker_that_does_not_start_says_why() {
        assertThatThrownBy(() -> TestKafka.startEmbedded(Map.of("log.retention.ms", "soon")))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("soon");
    }

    /** Starts a broker and stays, until it is killed. */
    static final class Parent {
        public static void main(String[] args) throws InterruptedException {
            TestKafka kafka = TestKafka.startEmbedded();
            System.out.println("broker " + kafka.process().pid());
            Thread.currentThread().join();
        }
    }

    @Test
    void a_broker_ends_with_the_jvm_that_started_it_even_if_that_is_killed() {
        try (ChildProcess parent = ChildJvm.start("parent", Parent.class)) {
            String pid =
                    parent.awaitLine(line -> line.startsWith("broker "), LONG).substring("broker ".length());
            ProcessHandle broker = ProcessHandle.of(Long.parseLong(pid)).orElseThrow();
            parent.kill();
            assertThat(broker.onExit()).succeedsWithin(LONG);
        }
    }

    @Test
    void a_frozen_broker_answers_when_it_is_resumed() throws Exception {
        try (TestKafka kafka = TestKafka.startEmbedded()) {
            kafka.suspend();
            KafkaFuture<Collection<Node>> answer =
                    kafka.admin().describeCluster().nodes();
            assertThatThrownBy(() -> answer.get(100, TimeUnit.MILLISECONDS)).isInstanceOf(TimeoutException.class);
            kafka.resume();
            assertThat(answer.get(60, TimeUnit.SECONDS)).hasSize(1);
        }
    }

    private static KafkaProducer<byte[], byte[]> transactionalProducer(TestKafka kafka, String id) {
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", kafka.bootstrapServers(), "transactional.id", id),
                new ByteArraySerializer(),
                new ByteArraySerializer());
        producer.initTransactions();
        return producer;
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, int partition, String text) {
        return new ProducerRecord<>(
                topic, partition, text.getBytes(StandardCharsets.UTF_8), text.getBytes(StandardCharsets.UTF_8));
    }

    private static String text(ConsumerRecord<byte[], byte[]> record) {
        return new String(record.value(), StandardCharsets.UTF_8);
    }
}
