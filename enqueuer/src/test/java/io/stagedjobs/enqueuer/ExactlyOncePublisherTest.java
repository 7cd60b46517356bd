package io.stagedjobs.enqueuer;

import io.stagedjobs.testkit.Eventually;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A real Kafka, in mode exactly-once, keeps the contract that the simulator's model keeps. */
class ExactlyOncePublisherTest implements PublisherContract {

    private static final int TAKEN_BYTES = 2_000;

    private Outbox outbox;
    private Publisher publisher;
    private Publisher another;
    private String topic;
    private String narrow;
    private final Random random = new Random();
    private long ids;

    @BeforeEach
    void open() throws Exception {
        outbox = new Outbox("publisher");
        publisher = outbox.exactlyOnce();
        another = outbox.exactlyOnce();
        topic = outbox.kafka.newTopic("publisher", 1);
        narrow = topic + "-narrow";
        outbox.kafka.createTopic(narrow, 1, Map.of("max.message.bytes", Integer.toString(TAKEN_BYTES)));
        // The controller answers before the broker that is asked next knows of them.
        Eventually.until(
                "the topics are known",
                () -> outbox.kafka.admin().listTopics().names().get().containsAll(Set.of(topic, narrow)));
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    @Override
    public Publisher publisher() {
        return publisher;
    }

    @Override
    public Publisher another() {
        return another;
    }

    @Override
    public String topic() {
        return topic;
    }

    @Override
    public String missing() {
        return topic + "-missing";
    }

    @Override
    public void create(String name) {
        outbox.kafka.createTopic(name, 1);
    }

    @Override
    public Job job(String itsTopic) {
        return job(itsTopic, 10);
    }

    @Override
    public Job tooLarge() {
        return job(narrow, 5 * TAKEN_BYTES);
    }

    private Job job(String itsTopic, int payloadBytes) {
        byte[] payload = new byte[payloadBytes];
        random.nextBytes(payload); // what can be compressed is not too large
        return new Job(++ids, UUID.randomUUID(), itsTopic, "k", "job", payload, null, Instant.EPOCH);
    }

    /** For readers' sake: what it had begun nobody else would end. */
    @Test
    void a_producer_of_a_lower_channel_is_fenced_a_moment_later() throws Exception {
        try (Publisher.Session lower = publisher.open(LANE, 1, 0).orThrow()) {
            another.open(LANE, 2, 1).orThrow().close();
            AtomicLong batches = new AtomicLong();
            Eventually.until(
                    "it is fenced",
                    () -> lower.publish(new Batch(batches.incrementAndGet(), List.of(job(topic))))
                                    .failure()
                            != null);
        }
    }

    @Override
    public List<UUID> visible(String ofTopic) {
        return outbox.read(ofTopic).stream()
                .map(record -> UUID.fromString(Outbox.header(record, "ce_id")))
                .toList();
    }
}
