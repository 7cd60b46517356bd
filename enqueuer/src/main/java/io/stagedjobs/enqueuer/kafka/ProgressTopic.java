package io.stagedjobs.enqueuer.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.LaneHaltedException;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.enqueuer.Progress;
import java.time.Duration;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The lanes' progress in Kafka: a compacted topic with one partition per lane, because the open transaction of another
 * lane in the same partition would hide the last record. {@link ProgressFormat} defines the content of a record.
 */
final class ProgressTopic {

    /** The most bytes of a progress record beside its value: its own batch, key and numbers. */
    private static final int OVERHEAD_BYTES = 200;

    /** How far before the end to look first: a record, its marker, and some aborted ones. */
    private static final long WINDOW_FIRST = 16;

    /** Smaller batches would be slow; the start warns of that. */
    private static final int JOBS_MAX_SMALL = 1_000;

    private static final Logger log = LoggerFactory.getLogger(ProgressTopic.class);

    private static final Duration POLL_MAX = Duration.ofMillis(200);

    private final String topic;
    private final KafkaClientSettings settings;
    private final Cluster cluster;

    /**
     * The number of jobs whose progress fits into a record that the producer sends and, as far as known, the topic
     * takes.
     */
    private volatile int jobsMax;

    ProgressTopic(String topic, KafkaClientSettings settings, Cluster cluster) {
        this.topic = topic;
        this.settings = settings;
        this.cluster = cluster;
        this.jobsMax = jobsMax(settings.recordBytesMax());
    }

    private static int jobsMax(int recordBytesMax) {
        return Math.max(1, ProgressFormat.jobsMax(recordBytesMax - OVERHEAD_BYTES));
    }

    /**
     * Sets the size of the largest record that the topic takes.
     *
     * @throws ExternalFailureException if the progress of one job would be too large
     */
    void takes(int bytes) {
        int least = ProgressFormat.bytesMax(1) + OVERHEAD_BYTES;
        if (bytes < least) {
            throw new ExternalFailureException(
                    Origin.KAFKA,
                    "cannot use topic " + topic + " for progress: it takes records of at most " + bytes
                            + " bytes, and needs " + least + " or more; raise its max.message.bytes or segment.bytes",
                    null);
        }
        jobsMax = jobsMax(Math.min(bytes, settings.recordBytesMax()));
        if (jobsMax < JOBS_MAX_SMALL) {
            log.warn(
                    "topic {} takes records of at most {} bytes, and the Kafka client sends at most {}: so a batch"
                            + " has at most {} jobs. To allow more, raise max.message.bytes of the topic or"
                            + " kafka.max.request.size.",
                    topic,
                    bytes,
                    settings.recordBytesMax(),
                    jobsMax);
        }
    }

    /** The progress of this many jobs was too large: somebody has lowered the topic's limit. */
    synchronized void tookNot(int jobs) {
        if (jobs > jobsMax) {
            return; // another lane has already noticed
        }
        jobsMax = Math.max(1, jobs / 2);
        log.warn(
                "topic {} does not take the progress of {} jobs: from now on a batch has at most {}. Raise its"
                        + " max.message.bytes and start again for more.",
                topic,
                jobs,
                jobsMax);
    }

    /** The first of the jobs, as many as fit into a progress record; at least one. */
    List<Job> fitting(List<Job> jobs) {
        return jobs.subList(0, Math.min(jobsMax, jobs.size()));
    }

    ProducerRecord<byte[], byte[]> record(int lane, Progress progress) {
        return new ProducerRecord<>(topic, lane, ("lane " + lane).getBytes(UTF_8), ProgressFormat.encode(progress));
    }

    /**
     * The last committed progress of a lane.
     *
     * @param fenced whether nobody else can write any more: then everything up to the end must be readable; else it
     *     leaves out open transactions
     * @throws ExternalFailureException if Kafka does not answer in time
     * @throws LaneHaltedException if the last record is not progress of this lane
     */
    Progress read(int lane, boolean fenced) {
        TopicPartition partition = new TopicPartition(topic, lane);
        try (KafkaConsumer<byte[], byte[]> consumer = reader(partition, "read_committed")) {
            long begin = consumer.beginningOffsets(List.of(partition)).getOrDefault(partition, 0L);
            long end = fenced
                    ? cluster.highWatermark(partition)
                    : consumer.endOffsets(List.of(partition)).getOrDefault(partition, 0L);
            for (long window = WINDOW_FIRST; ; window *= 16) {
                long from = Math.max(begin, end - window);
                ConsumerRecord<byte[], byte[]> last = lastBetween(consumer, partition, from, end);
                if (last != null) {
                    return progress(last);
                }
                if (from == begin) {
                    return Progress.NONE;
                }
            }
        } catch (KafkaException e) {
            if (KafkaErrors.isTimeout(e)) {
                cluster.check(); // if no broker answers, this reports it
            }
            throw unreadable(lane, KafkaErrors.words(settings.publishTimeout(), e), e);
        }
    }

    private static Progress progress(ConsumerRecord<byte[], byte[]> record) {
        try {
            return ProgressFormat.decode(record.value());
        } catch (ProgressFormat.UnreadableException e) {
            throw new LaneHaltedException("the record at offset " + record.offset() + " of partition "
                    + record.partition() + " of topic " + record.topic() + " is no progress of this lane ("
                    + e.getMessage() + "): somebody else wrote to that topic, or a newer release did. Run that release,"
                    + " or revoke all rights to write there except the enqueuer's");
        }
    }

    private KafkaConsumer<byte[], byte[]> reader(TopicPartition partition, String isolationLevel) {
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                settings.progressReader(isolationLevel), new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.assign(List.of(partition));
        return consumer;
    }

    private @Nullable ConsumerRecord<byte[], byte[]> lastBetween(
            KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long from, long end) {
        consumer.seek(partition, from);
        ConsumerRecord<byte[], byte[]> last = null;
        long deadline = System.nanoTime() + settings.publishTimeout().toNanos();
        while (consumer.position(partition) < end) {
            if (System.nanoTime() - deadline > 0) {
                throw unreadable(partition.partition(), whyNotToItsEnd(consumer, partition, end), null);
            }
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL_MAX)) {
                last = record;
            }
        }
        return last;
    }

    /** After the fencing no transaction can be open, unless the broker forgot to end it: then a person must act. */
    private String whyNotToItsEnd(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long end) {
        long stable = consumer.endOffsets(List.of(partition)).getOrDefault(partition, end);
        if (stable >= end) {
            return "not read to its end within " + settings.publishTimeout().toMillis() + " ms";
        }
        try (KafkaConsumer<byte[], byte[]> uncommitted = reader(partition, "read_uncommitted")) {
            uncommitted.seek(partition, stable);
            ConsumerRecords<byte[], byte[]> open = uncommitted.poll(settings.publishTimeout());
            return "Kafka has ended the transaction of "
                    + (open.isEmpty()
                            ? "some batch"
                            : "batch " + progress(open.iterator().next()).batch())
                    + ", but not in this partition, where it is open at offset " + stable
                    + "; see \"Transactions that Kafka forgets to end\" in docs/guarantees.md";
        }
    }

    private ExternalFailureException unreadable(int lane, String reason, @Nullable Throwable cause) {
        return new ExternalFailureException(
                Origin.KAFKA,
                "could not read the progress of lane " + lane + " in topic " + topic + " (" + reason + ")",
                cause);
    }
}
