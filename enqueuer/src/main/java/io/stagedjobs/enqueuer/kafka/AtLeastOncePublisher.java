package io.stagedjobs.enqueuer.kafka;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.kafka.KafkaClientMetrics;
import io.stagedjobs.enqueuer.Batch;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Outcome;
import io.stagedjobs.enqueuer.Progress;
import io.stagedjobs.enqueuer.Publisher;
import io.stagedjobs.enqueuer.Refusal;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes with one idempotent producer that all lanes share: batches of several lanes fill the same requests. It
 * works on every cluster. If the acknowledgement or the deletion of a batch is lost, it publishes the batch again. It
 * keeps no progress in Kafka and fences nobody.
 */
public final class AtLeastOncePublisher implements Publisher {

    private static final Logger log = LoggerFactory.getLogger(AtLeastOncePublisher.class);

    private final KafkaClientSettings settings;
    private final Cluster cluster;
    private final Producer<byte[], byte[]> producer;
    private final KafkaClientMetrics metrics;
    private final Topics topics;
    private final CloudEvents cloudEvents;
    private final ExecutorService threads = TopicMetadata.threads();
    private final TopicMetadata topicMetadata;

    /**
     * Connects lazily: the constructor does not ask the cluster.
     *
     * @throws IllegalArgumentException if the Kafka client refuses a property
     */
    public AtLeastOncePublisher(KafkaClientSettings settings, String source, MeterRegistry registry) {
        this.settings = settings;
        this.producer = KafkaErrors.configured(() -> new KafkaProducer<>(settings.producer()));
        this.cluster = KafkaErrors.configured(() -> new Cluster(settings));
        this.topics = new Topics(cluster, settings);
        this.topicMetadata = new TopicMetadata(producer, threads, settings);
        this.cloudEvents = new CloudEvents(source);
        this.metrics = new KafkaClientMetrics(producer);
        metrics.bindTo(registry);
    }

    @Override
    public void check(int lanes) {
        cluster.check();
    }

    @Override
    public Optional<Progress> peek(int lane) {
        return Optional.empty();
    }

    @Override
    public Session open(int lane, long generation, int channel) {
        cluster.check();
        return new SharedProducerSession();
    }

    @Override
    public Map<String, Refusal> refused(Set<String> names) {
        return topics.refused(names);
    }

    /** Waits a moment for records under way; a job whose record is cut off here stays staged and is published again. */
    @Override
    public void close() {
        metrics.close();
        threads.shutdownNow();
        producer.close(Cluster.CLOSE_MAX);
        cluster.close();
    }

    private final class SharedProducerSession implements Session {

        private @Nullable Deliveries last;

        @Override
        public Optional<Progress> progress() {
            return Optional.empty();
        }

        @Override
        public Outcome publish(Batch batch) {
            long deadline = System.nanoTime() + settings.publishTimeout().toNanos();
            try {
                Topics.Found found = topics.find(batch.jobs());
                CloudEvents.Records sending = cloudEvents.records(topicMetadata.loaded(found.together()));
                if (sending.jobs().isEmpty()) {
                    return new Outcome(List.of(), found.refused, sending.refused(), null);
                }
                Deliveries deliveries = Deliveries.send(sending, null, producer, deadline);
                last = deliveries;
                deliveries.await(deadline);
                Outcome outcome = deliveries.outcome(found.refused);
                if (outcome.failure() != null
                        || !outcome.refusedTopics().isEmpty()
                        || !outcome.refusedJobs().isEmpty()) {
                    topics.forget(sending.jobs());
                }
                return outcome;
            } catch (ExternalFailureException e) {
                return Outcome.failed(String.valueOf(e.getMessage()));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return Outcome.failed("the wait for Kafka's acknowledgements was interrupted");
            }
        }

        /**
         * Records still under way must not arrive after those of the next attempt; the producer itself gives up in
         * time.
         */
        @Override
        public void close() {
            try {
                if (last != null
                        && !last.await(System.nanoTime()
                                + 2 * settings.publishTimeout().toNanos())) {
                    log.warn("records of a batch were neither acknowledged nor given up in time; they may come again"
                            + " later");
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
