package io.stagedjobs.sample;

import java.time.Duration;
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
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Prints each job that arrives: topic, key, type and id on one line, never the payload.
 *
 * <p>Reads in a thread of its own, as {@code read_committed} and in the group {@value #GROUP}, and creates the topic
 * first if it is missing. While Kafka is away it tries again and again. Offsets are committed after printing: after a
 * crash the last lines may be printed once more.
 */
final class JobPrinter implements AutoCloseable {

    static final String GROUP = "sample-printer";

    private static final int PARTITIONS = 3;
    private static final Duration POLL_MAX = Duration.ofSeconds(1);
    private static final Duration ANSWER_MAX = Duration.ofSeconds(10);
    private static final Duration PAUSE_AFTER_FAILURE = Duration.ofSeconds(1);
    private static final Duration CLOSE_MAX = Duration.ofSeconds(5);

    private static final Logger LOG = LoggerFactory.getLogger(JobPrinter.class);

    private final String bootstrapServers;
    private final String topic;
    private final Consumer<String> out;
    private final Thread thread = new Thread(this::run, "sample-printer");
    private final CountDownLatch stopping = new CountDownLatch(1);
    private volatile @Nullable KafkaConsumer<@Nullable String, byte @Nullable []> consumer;

    /** Guarded by this; notified when it grows. */
    private long printed;

    /** @param out takes each line, in the printer's thread */
    JobPrinter(String bootstrapServers, String topic, Consumer<String> out) {
        this.bootstrapServers = bootstrapServers;
        this.topic = topic;
        this.out = out;
    }

    void start() {
        thread.start();
    }

    /**
     * Waits until this many jobs were printed since the start, or time is up.
     *
     * @return how many were printed
     */
    synchronized long awaitPrinted(long count, Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (printed < count) {
            long leftMillis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (leftMillis <= 0) {
                break;
            }
            wait(leftMillis);
        }
        return printed;
    }

    /** Stops reading; what was printed last may be printed again after the next start. */
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

    private boolean isStopping() {
        return stopping.getCount() == 0;
    }

    private void run() {
        while (!isStopping()) {
            try {
                createTopic();
                consume();
            } catch (WakeupException | InterruptException stop) {
                return;
            } catch (KafkaException e) {
                LOG.warn(
                        "Could not read the jobs of topic {}. They stay in Kafka; next try in {} s.",
                        topic,
                        PAUSE_AFTER_FAILURE.toSeconds(),
                        e);
                pause();
            }
        }
    }

    private void pause() {
        try {
            // Its answer, whether the printer is stopping, is asked again at the head of the loop.
            var unused = stopping.await(PAUSE_AFTER_FAILURE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            stopping.countDown();
        }
    }

    /** The enqueuer creates no topics: whoever owns the data does. */
    private void createTopic() {
        NewTopic wanted = new NewTopic(topic, Optional.of(PARTITIONS), Optional.empty());
        Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrapServers));
        try {
            admin.createTopics(Set.of(wanted)).all().get(ANSWER_MAX.toMillis(), TimeUnit.MILLISECONDS);
            LOG.info("Created topic {} with {} partitions.", topic, PARTITIONS);
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof TopicExistsException)) {
                throw new KafkaException("could not create topic " + topic, e.getCause());
            }
        } catch (TimeoutException e) {
            throw new KafkaException("no broker answered within " + ANSWER_MAX.toSeconds() + " s", e);
        } catch (InterruptedException e) {
            throw new InterruptException(e);
        } finally {
            admin.close(Duration.ZERO); // without a limit it would wait for the answer that did not come
        }
    }

    private void consume() {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", bootstrapServers,
                "group.id", GROUP,
                "isolation.level", "read_committed",
                "auto.offset.reset", "earliest",
                "enable.auto.commit", "false",
                "allow.auto.create.topics", "false");
        try (KafkaConsumer<@Nullable String, byte @Nullable []> opened =
                new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer = opened;
            opened.subscribe(List.of(topic));
            while (!isStopping()) {
                for (ConsumerRecord<@Nullable String, byte @Nullable []> record : opened.poll(POLL_MAX)) {
                    print(PublishedJob.of(record));
                }
                opened.commitSync();
            }
        } finally {
            consumer = null;
        }
    }

    private void print(PublishedJob job) {
        out.accept("%s key=%s %s %s".formatted(job.topic(), shown(job.key()), shown(job.type()), shown(job.id())));
        synchronized (this) {
            printed++;
            notifyAll();
        }
    }

    /** Keys and headers come from anywhere: one line stays one line. */
    private static String shown(@Nullable String text) {
        return text == null ? "-" : text.replaceAll("\\p{Cntrl}", "?");
    }
}
