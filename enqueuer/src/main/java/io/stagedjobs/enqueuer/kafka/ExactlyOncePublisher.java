package io.stagedjobs.enqueuer.kafka;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.kafka.KafkaClientMetrics;
import io.stagedjobs.enqueuer.Batch;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.enqueuer.Outcome;
import io.stagedjobs.enqueuer.Progress;
import io.stagedjobs.enqueuer.Publisher;
import io.stagedjobs.enqueuer.Refusal;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/**
 * Publishes each batch in one Kafka transaction, together with the lane's progress. Every lane has its own
 * transactional producer. Opening a session fences the producer of the lane's earlier owner and aborts its open
 * transaction, before the progress is read.
 */
public final class ExactlyOncePublisher implements Publisher {

    private final KafkaClientSettings settings;
    private final MeterRegistry registry;
    private final String database;
    private final Cluster cluster;
    private final Topics topics;
    private final ProgressTopic progressTopic;
    private final String progressTopicName;
    private final CloudEvents cloudEvents;
    private final ExecutorService threads = TopicMetadata.threads();

    /**
     * Connects lazily: the constructor does not ask the cluster.
     *
     * @param database the database's unique name in Kafka; part of transactional ids and topic names
     * @throws IllegalArgumentException if the Kafka client refuses a property
     */
    public ExactlyOncePublisher(KafkaClientSettings settings, String database, String source, MeterRegistry registry) {
        this.settings = settings;
        this.registry = registry;
        this.database = database;
        // Properties that only a producer refuses fail here, and not in a lane.
        KafkaErrors.configured(() -> new KafkaProducer<byte[], byte[]>(settings.transactionalProducer("none", 0)))
                .close(Duration.ZERO);
        this.cluster = KafkaErrors.configured(() -> new Cluster(settings));
        this.topics = new Topics(cluster, settings);
        this.progressTopicName = progressTopic(database);
        this.progressTopic = new ProgressTopic(progressTopicName, settings, cluster);
        this.cloudEvents = new CloudEvents(source);
    }

    @Override
    public void check(int lanes) {
        cluster.check();
        ClusterRequirements required = new ClusterRequirements(cluster);
        required.requireTransactions();
        required.requireTransactionalIds(IntStream.range(0, lanes)
                .mapToObj(lane -> transactionalId(lane, 0))
                .collect(Collectors.toSet()));
        progressTopic.takes(required.requireProgressTopic(progressTopicName, lanes));
    }

    private String transactionalId(int lane, int channel) {
        return transactionalId(database, lane, channel);
    }

    static String transactionalId(String database, int lane, int channel) {
        return "staged-jobs-" + database + "-" + lane + "-" + channel;
    }

    static String progressTopic(String database) {
        return "staged-jobs-progress-" + database;
    }

    @Override
    public Optional<Progress> peek(int lane) {
        return Optional.of(progressTopic.read(lane, false));
    }

    /**
     * Each channel is a separate transactional id: decision 0028. Nobody publishes under a lower one any more, but a
     * late request of its last producer may begin a transaction in Kafka that nobody would end: readers would wait for
     * it.
     */
    @Override
    public Opened open(int lane, long generation, int channel) {
        IntStream.range(0, channel).forEach(lower -> cluster.fence(transactionalId(lane, lower)));
        String transactionalId = transactionalId(lane, channel);
        Producer<byte[], byte[]> producer = KafkaErrors.configured(
                () -> new KafkaProducer<>(settings.transactionalProducer(transactionalId, lane)));
        try {
            producer.initTransactions();
            producer.partitionsFor(progressTopicName); // so that no batch must wait for it
            return new TransactionalSession(lane, producer, progressUnder(channel, lane, producer));
        } catch (RuntimeException e) {
            producer.close(Cluster.CLOSE_MAX);
            if (e instanceof KafkaException) {
                return decided(
                        lane,
                        transactionalId,
                        new ExternalFailureException(
                                Origin.KAFKA,
                                "could not start transactions as " + transactionalId + " ("
                                        + KafkaErrors.words(settings.blockMax(), e) + ")",
                                e));
            }
            throw e;
        }
    }

    /**
     * Writes the last progress. The first transaction under a channel contains only this, so that a copy of the
     * database is detected before it publishes a job.
     */
    @SuppressWarnings("FutureReturnValueIgnored") // if this record fails, the commit fails
    private Progress progressUnder(int channel, int lane, Producer<byte[], byte[]> producer) {
        Progress last = progressTopic.read(lane, true);
        if (last.channel() >= channel) {
            return last;
        }
        Progress first = last.under(channel);
        producer.beginTransaction();
        producer.send(progressTopic.record(lane, first));
        producer.flush(); // the client may send the end before a record that it got just before
        producer.commitTransaction();
        return first;
    }

    /**
     * The lane's progress in Kafka, if the end of the last transaction under the id is decided, is missing in some
     * partition, but is there in the progress topic.
     */
    private Decided decided(int lane, String transactionalId, ExternalFailureException failure) {
        try {
            if (cluster.decided(transactionalId, new TopicPartition(progressTopicName, lane))) {
                return new Decided(progressTopic.read(lane, true), failure);
            }
        } catch (ExternalFailureException notKnown) {
            failure.addSuppressed(notKnown);
        }
        throw failure;
    }

    @Override
    public Map<String, Refusal> refused(Set<String> names) {
        return topics.refused(names);
    }

    @Override
    public void close() {
        threads.shutdownNow();
        cluster.close();
    }

    private final class TransactionalSession implements Session {
        private final int lane;
        private final Producer<byte[], byte[]> producer;
        private final Progress progress;
        private final KafkaClientMetrics metrics;
        private final TopicMetadata topicMetadata;

        TransactionalSession(int lane, Producer<byte[], byte[]> producer, Progress progress) {
            this.lane = lane;
            this.producer = producer;
            this.progress = progress;
            this.topicMetadata = new TopicMetadata(producer, threads, settings);
            this.metrics = new KafkaClientMetrics(producer);
            metrics.bindTo(registry);
        }

        @Override
        public Optional<Progress> progress() {
            return Optional.of(progress);
        }

        @Override
        public Outcome publish(Batch batch) {
            long deadline = System.nanoTime() + settings.deliveredAfterMax().toNanos();
            List<Job> sending = List.of();
            try {
                Topics.Found found = topics.find(batch.jobs());
                CloudEvents.Records records =
                        cloudEvents.records(topicMetadata.loaded(progressTopic.fitting(found.together())));
                sending = records.jobs();
                return sending.isEmpty()
                        ? new Outcome(List.of(), found.refused, records.refused(), null)
                        : inOneTransaction(batch.number(), records, found.refused, deadline);
            } catch (ExternalFailureException | KafkaException e) {
                topics.forget(sending);
                return Outcome.failed(
                        e instanceof ExternalFailureException
                                ? String.valueOf(e.getMessage())
                                : KafkaErrors.oneLine(e));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return Outcome.failed("the wait for Kafka's acknowledgements was interrupted");
            }
        }

        /**
         * One refused job aborts the whole batch: the job is moved aside, and the next batch leaves it out. The commit
         * follows only when every record is acknowledged, including the progress: the client may send the end of a
         * transaction before a record that it got just before the commit, and that record would not be part of the
         * transaction.
         */
        private Outcome inOneTransaction(
                long number, CloudEvents.Records records, Map<String, Refusal> refusedBefore, long deadline)
                throws InterruptedException {
            List<Job> jobs = records.jobs();
            producer.beginTransaction();
            Deliveries deliveries = Deliveries.send(
                    records,
                    progressTopic.record(lane, Progress.of(progress.channel(), number, jobs)),
                    producer,
                    deadline);
            deliveries.await(deadline);
            Outcome sent = deliveries.outcome(refusedBefore);
            if (sent.published().size() == jobs.size() && sent.failure() == null) {
                producer.commitTransaction();
                return sent;
            }
            topics.forget(jobs);
            if (deliveries.progressTooLarge()) {
                progressTopic.tookNot(jobs.size());
            }
            boolean refused = sent.refusedTopics().size() > refusedBefore.size()
                    || !sent.refusedJobs().isEmpty();
            if (!refused) {
                return Outcome.failed(String.valueOf(sent.failure()));
            }
            // The producer fails all records after a refused one: that is not a separate failure.
            producer.abortTransaction();
            return new Outcome(List.of(), sent.refusedTopics(), sent.refusedJobs(), null);
        }

        @Override
        public void close() {
            metrics.close();
            producer.close(Cluster.CLOSE_MAX);
        }
    }
}
