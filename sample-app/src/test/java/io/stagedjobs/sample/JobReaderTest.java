package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;

/** The reader of jobs, with what it does in the sample: print them. */
class JobReaderTest {

    private static final String KAFKA = TestKafka.shared().bootstrapServers();
    private static final Duration SOON = Duration.ofSeconds(60);

    private final String topic = "printed-" + UUID.randomUUID();
    private final List<String> lines = new CopyOnWriteArrayList<>();

    @Test
    void hands_on_each_job_which_prints_as_one_short_line() throws Exception {
        try (JobReader printer = printer();
                KafkaProducer<String, String> producer = producer()) {
            printer.start(); // creates the topic

            ProducerRecord<String, String> job =
                    new ProducerRecord<>(topic, 0, "7\nforged line", "a\n" + "b".repeat(300));
            job.headers().add("ce_type", "user.created".getBytes(UTF_8)).add("ce_id", "some id".getBytes(UTF_8));
            producer.send(job).get();
            producer.send(new ProducerRecord<>(topic, 0, null, (String) null)).get();

            awaitLines(2);
            assertThat(lines)
                    .containsExactly(
                            topic + " key=7?forged line user.created some id a?" + "b".repeat(198) + " ...",
                            topic + " key=- - - -");
        }
    }

    @Test
    void goes_on_where_it_was_stopped() throws Exception {
        try (KafkaProducer<String, String> producer = producer()) {
            TestKafka.shared().createTopic(topic, 1);
            producer.send(new ProducerRecord<>(topic, "first", "")).get();
            try (JobReader printer = printer()) {
                printer.start();
                awaitLines(1);
            }
            producer.send(new ProducerRecord<>(topic, "second", "")).get();
            try (JobReader printer = printer()) {
                printer.start();
                // At least once: the first may come again, but nothing is left out.
                Eventually.until("the second arrives", () -> lines.contains(topic + " key=second - - "));
            }
        }
        assertThat(lines).contains(topic + " key=first - - ");
    }

    @Test
    void a_job_whose_handler_fails_is_handled_again_and_none_is_left_out() throws Exception {
        CountDownLatch failures = new CountDownLatch(2);
        BlockingQueue<String> handled = new LinkedBlockingQueue<>();
        Consumer<PublishedJob> failingTwice = job -> {
            if ("second".equals(job.key()) && failures.getCount() > 0) {
                failures.countDown();
                throw new IllegalStateException("the database is away");
            }
            handled.add(String.valueOf(job.key()));
        };
        TestKafka.shared().createTopic(topic, 1);
        try (JobReader reader = new JobReader(KAFKA, "group-" + topic, Set.of(topic), Duration.ZERO, failingTwice);
                KafkaProducer<String, String> producer = producer()) {
            for (String key : List.of("first", "second", "third")) {
                producer.send(new ProducerRecord<>(topic, key, "")).get();
            }
            reader.start();

            do {
                lines.add(handled.poll(SOON.toSeconds(), TimeUnit.SECONDS));
                assertThat(lines).doesNotContainNull();
            } while (!lines.contains("third"));
            assertThat(failures.getCount()).isZero();
            assertThat(lines).containsSubsequence("first", "second", "third");
        }
    }

    @Test
    void a_reader_that_waits_handles_no_job_before_its_time() throws Exception {
        Duration delay = Duration.ofMillis(300);
        BlockingQueue<Instant> handledAt = new LinkedBlockingQueue<>();
        Instant staged = Instant.now();
        try (JobReader reader = new JobReader(
                        KAFKA, "group-" + topic, Set.of(topic), delay, job -> handledAt.add(Instant.now()));
                KafkaProducer<String, String> producer = producer()) {
            TestKafka.shared().createTopic(topic, 1);
            ProducerRecord<String, String> job = new ProducerRecord<>(topic, "late", "");
            job.headers().add("ce_time", staged.toString().getBytes(UTF_8));
            producer.send(job).get();
            reader.start();

            assertThat(handledAt.poll(SOON.toSeconds(), TimeUnit.SECONDS)).isAfterOrEqualTo(staged.plus(delay));
        }
    }

    private JobReader printer() {
        return new JobReader(KAFKA, "group-" + topic, Set.of(topic), Duration.ZERO, job -> lines.add(job.line()));
    }

    private void awaitLines(int count) throws Exception {
        Eventually.until(count + " jobs were handled", () -> lines.size() >= count);
    }

    private static KafkaProducer<String, String> producer() {
        return new KafkaProducer<>(Map.of("bootstrap.servers", KAFKA), new StringSerializer(), new StringSerializer());
    }
}
