package io.stagedjobs.sample;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads jobs in a thread of its own, as {@code read_committed}, and gives them to a handler one by one, each in the
 * trace in which it was staged. First creates missing topics.
 *
 * <p>While Kafka is down it keeps retrying. It commits offsets after handling: after a crash, or if the handler throws,
 * it handles the last jobs once more.
 */
final class JobReader implements AutoCloseable {

    private static final int PARTITIONS = 3;
    private static final Duration POLL_MAX = Duration.ofSeconds(1);
    private static final Duration ANSWER_MAX = Duration.ofSeconds(10);
    private static final Duration PAUSE_AFTER_FAILURE = Duration.ofSeconds(1);
    private static final Duration CLOSE_MAX = Duration.ofSeconds(5);

    /**
     * The most jobs between two commits of offsets; few, because a job may wait for its time and for another service.
     */
    private static final int JOBS_AT_ONCE_MAX = 50;

    private static final Logger LOG = LoggerFactory.getLogger(JobReader.class);

    private final String bootstrapServers;
    private final String group;
    private final Set<String> topics;
    private final Duration delay;
    private final Consumer<PublishedJob> handler;
    private final Thread thread;
    private final CountDownLatch stopping = new CountDownLatch(1);
    private volatile @Nullable KafkaConsumer<@Nullable String, byte @Nullable []> consumer;

    /**
     * A reader that is not started yet.
     *
     * @param group the consumer group; also names the thread
     * @param delay the least time between a job's staging and its handling; the same for all, so that no job waits for
     *     one that is due later
     * @param handler called only by this reader's thread
     */
    JobReader(
            String bootstrapServers, String group, Set<String> topics, Duration delay, Consumer<PublishedJob> handler) {
        this.bootstrapServers = bootstrapServers;
        this.group = group;
        this.topics = topics;
        this.delay = delay;
        this.handler = handler;
        this.thread = new Thread(this::run, group);
    }

    void start() {
        thread.start();
    }

    /** Stops reading; the last handled jobs may be handled again after the next start. */
    @Override
    public void close() {
        stopping.countDown();
        KafkaConsumer<@Nullable String, byte @Nullable []> current = consumer;
        if (current == null) {
            thread.interrupt(); // it waits for a broker, or pauses
        } else {
            current.wakeup();
        }
        try {
            thread.join(CLOSE_MAX.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        do {
            try {
                createTopics();
                consume();
            } catch (WakeupException | InterruptException stop) {
                return;
            } catch (RuntimeException e) {
                LOG.warn(
                        "{} could not read or handle jobs of {}. They stay in Kafka; next try in {} s.",
                        group,
                        topics,
                        PAUSE_AFTER_FAILURE.toSeconds(),
                        e);
            }
        } while (!stopsWithin(PAUSE_AFTER_FAILURE));
    }

    private boolean stopsWithin(Duration pause) {
        try {
            return stopping.await(pause.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return true;
        }
    }

    /** The enqueuer creates no topics: the owner of the data does. */
    private void createTopics() {
        List<NewTopic> wanted = topics.stream()
                .map(topic -> new NewTopic(topic, Optional.of(PARTITIONS), Optional.empty()))
                .toList();
        Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrapServers));
        try {
            for (KafkaFuture<Void> created : admin.createTopics(wanted).values().values()) {
                created.get(ANSWER_MAX.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof TopicExistsException)) {
                throw new KafkaException("could not create one of the topics " + topics, e.getCause());
            }
        } catch (TimeoutException e) {
            throw new KafkaException("no broker answered within " + ANSWER_MAX.toSeconds() + " s", e);
        } catch (InterruptedException e) {
            throw new InterruptException(e);
        } finally {
            admin.close(Duration.ZERO); // without a limit it would wait for the missing answer
        }
    }

    private void consume() {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", bootstrapServers,
                "group.id", group,
                "isolation.level", "read_committed",
                "auto.offset.reset", "earliest",
                "enable.auto.commit", "false",
                "allow.auto.create.topics", "false",
                "max.poll.records", JOBS_AT_ONCE_MAX);
        try (KafkaConsumer<@Nullable String, byte @Nullable []> opened =
                new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer = opened;
            opened.subscribe(topics);
            while (stopping.getCount() > 0) {
                for (ConsumerRecord<@Nullable String, byte @Nullable []> record : opened.poll(POLL_MAX)) {
                    PublishedJob job = new PublishedJob(record);
                    if (stopsWithin(untilDue(job))) {
                        return;
                    }
                    Trace.of(job::header).wrap(() -> handler.accept(job)).run();
                }
                opened.commitSync();
            }
        } finally {
            consumer = null;
        }
    }

    private Duration untilDue(PublishedJob job) {
        @Nullable Instant stagedAt = job.stagedAt();
        if (delay.isZero() || stagedAt == null) {
            return Duration.ZERO;
        }
        // Rounded up by a millisecond, so that it is not too early. Clocks differ, so the wait is at most the delay.
        Duration left = Duration.between(Instant.now(), stagedAt.plus(delay)).plusMillis(1);
        return left.compareTo(delay) < 0 ? left : delay;
    }
}
