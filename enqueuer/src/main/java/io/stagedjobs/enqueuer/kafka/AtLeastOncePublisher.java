package io.stagedjobs.enqueuer.kafka;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.kafka.KafkaClientMetrics;
import io.stagedjobs.enqueuer.Batch;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Outcome;
import io.stagedjobs.enqueuer.Outcome.Refusal;
import io.stagedjobs.enqueuer.OutsideException;
import io.stagedjobs.enqueuer.Progress;
import io.stagedjobs.enqueuer.Publisher;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;

/**
 * Publishes with one idempotent producer that all lanes share: batches of several lanes fill the same requests. It works on
 * every cluster; a batch whose acknowledgement or deletion is lost is published again. Kafka keeps no progress here and
 * nobody is fenced.
 */
public final class AtLeastOncePublisher implements Publisher {

    private final Cluster cluster;
    private final Producer<byte[], byte[]> producer;
    private final KafkaClientMetrics metrics;
    private final Topics topics;
    private final CloudEvents cloudEvents;

    /**
     * Connects lazily: nothing is asked of the cluster here.
     *
     * @throws IllegalArgumentException if the Kafka client refuses a property
     */
    public AtLeastOncePublisher(KafkaClientSettings settings, String source, MeterRegistry registry) {
        this.producer = KafkaErrors.configured(() -> new KafkaProducer<>(settings.producer()));
        this.cluster = KafkaErrors.configured(() -> new Cluster(settings));
        this.topics = cluster.topics();
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
    public Session open(int lane, long generation) {
        cluster.check();
        return new SharedProducerSession();
    }

    @Override
    public Map<String, Refusal> refused(Set<String> names) {
        return topics.refused(names);
    }

    /** Waits a moment for what is under way; a record that is cut off here stays staged and is published again. */
    @Override
    public void close() {
        metrics.close();
        producer.close(Cluster.CLOSE_MAX);
        cluster.close();
    }

    private final class SharedProducerSession implements Session {

        @Override
        public Optional<Progress> progress() {
            return Optional.empty();
        }

        @Override
        public Outcome publish(Batch batch) {
            try {
                Map<String, Refusal> refused = topics.refused(batch.jobs());
                List<Job> accepted = Topics.without(refused.keySet(), batch.jobs());
                Outcome outcome =
                        Deliveries.send(accepted, producer, cloudEvents).await(refused);
                if (outcome.failure() != null || !outcome.refused().isEmpty()) {
                    topics.forget();
                }
                return outcome;
            } catch (OutsideException e) {
                return Outcome.failed(String.valueOf(e.getMessage()));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return Outcome.failed("the wait for Kafka's acknowledgements was interrupted");
            }
        }

        @Override
        public void close() {
            // the producer is shared
        }
    }
}
