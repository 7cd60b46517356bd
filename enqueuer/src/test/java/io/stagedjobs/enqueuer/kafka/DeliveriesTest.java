package io.stagedjobs.enqueuer.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Outcome;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A transaction in which one record is refused: the producer fails those that it has not sent yet with the same error.
 */
class DeliveriesTest {

    private static final long LATER = System.nanoTime() + 60_000_000_000L;

    private static List<Job> jobs(String... topics) {
        return IntStream.range(0, topics.length)
                .mapToObj(i ->
                        new Job(i + 1, UUID.randomUUID(), topics[i], "k" + i, "name", new byte[0], null, Instant.EPOCH))
                .toList();
    }

    private static CloudEvents.Records records(List<Job> jobs) {
        return new CloudEvents("/tests").records(jobs);
    }

    /** All of the jobs are answered with one error. */
    private static Outcome failed(List<Job> jobs, RuntimeException error) {
        try (MockProducer<byte[], byte[]> producer =
                new MockProducer<>(false, null, new ByteArraySerializer(), new ByteArraySerializer())) {
            Deliveries deliveries = Deliveries.send(records(jobs), null, producer, LATER);
            jobs.forEach(job -> producer.errorNext(error));
            return deliveries.outcome(Map.of());
        }
    }

    @ParameterizedTest
    @ValueSource(classes = {InvalidTopicException.class, IllegalStateException.class, KafkaException.class})
    void what_the_producer_does_not_even_take_ends_the_batch_and_nothing_after_it_is_sent(
            Class<? extends RuntimeException> kind) throws Exception {
        RuntimeException refusal = kind.getConstructor(String.class).newInstance("not taken");
        try (MockProducer<byte[], byte[]> producer =
                new MockProducer<>(true, null, new ByteArraySerializer(), new ByteArraySerializer()) {
                    @Override
                    public synchronized Future<RecordMetadata> send(
                            ProducerRecord<byte[], byte[]> record, Callback callback) {
                        if (record.topic().equals("bad") && history().size() == 1) {
                            throw refusal;
                        }
                        return super.send(record, callback);
                    }
                }) {
            Outcome outcome = Deliveries.send(records(jobs("good", "bad", "good", "bad")), null, producer, LATER)
                    .outcome(Map.of());
            assertThat(producer.history()).hasSize(1);
            assertThat(outcome.published()).hasSize(1);
            assertThat(outcome.failure()).contains("did not take");
        }
    }

    @Test
    void a_job_that_is_too_large_is_told_with_its_size() {
        Job job = new Job(1, UUID.randomUUID(), "t", null, "name", new byte[12_345], null, Instant.EPOCH);
        Outcome outcome = failed(List.of(job), new RecordTooLargeException("the server takes no such message"));
        assertThat(outcome.refusedJobs().get(1L).detail())
                .contains("a payload of 12345 bytes", "the server takes no such message", "max.message.bytes");
    }

    @Test
    void a_topic_that_is_refused_is_the_first_ones_and_no_other() {
        Outcome outcome = failed(jobs("bad", "good", "bad"), new InvalidTopicException("bad"));
        assertThat(outcome.refusedTopics()).containsOnlyKeys("bad");
        assertThat(outcome.refusedJobs()).isEmpty();
        assertThat(outcome.published()).isEmpty();
        assertThat(outcome.failure()).contains("did not take 1 of 3");
    }

    @Test
    void a_job_that_is_refused_is_the_first_one_and_no_other() {
        Outcome outcome = failed(jobs("topic", "topic", "another"), new InvalidTimestampException("too old"));
        assertThat(outcome.refusedJobs()).containsOnlyKeys(1L);
        assertThat(outcome.refusedTopics()).isEmpty();
        assertThat(outcome.failure()).contains("did not take 2 of 3");
    }
}
