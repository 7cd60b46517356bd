package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Batch;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Outcome;
import io.stagedjobs.enqueuer.Outcome.Refusal;
import io.stagedjobs.enqueuer.OutsideException;
import io.stagedjobs.enqueuer.Progress;
import io.stagedjobs.enqueuer.Publisher;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.KafkaException;

/**
 * Publishes with one idempotent producer that all lanes share: batches of several lanes fill the same requests. It works on
 * every cluster; a batch whose acknowledgement or deletion is lost is published again. Kafka keeps no progress here and
 * nobody is fenced.
 */
public final class AtLeastOncePublisher implements Publisher {

    private static final Duration CLOSE_MAX = Duration.ofSeconds(1);

    private final Admin admin;
    private final Producer<byte[], byte[]> producer;
    private final Topics topics;
    private final CloudEvents cloudEvents;
    private final Duration timeout;
    private final String bootstrapServers;

    /**
     * Connects lazily: nothing is asked of the cluster here.
     *
     * @throws IllegalArgumentException if the Kafka client refuses a property
     */
    public AtLeastOncePublisher(KafkaClientSettings settings, String source) {
        this.timeout = settings.publishTimeout();
        this.bootstrapServers = settings.operator().getOrDefault("bootstrap.servers", "");
        try {
            this.producer = new KafkaProducer<>(settings.producer());
            this.admin = Admin.create(settings.admin());
        } catch (KafkaException e) {
            Throwable reason = e.getCause() == null ? e : e.getCause();
            throw new IllegalArgumentException(KafkaErrors.oneLine(reason), e);
        }
        this.topics = new Topics(admin, timeout);
        this.cloudEvents = new CloudEvents(source);
    }

    /** The clients, whose own meters the caller may bind. */
    public Producer<byte[], byte[]> producer() {
        return producer;
    }

    @Override
    public Session open(int lane, long generation) {
        check();
        return new SharedProducerSession();
    }

    /**
     * Asks the cluster for its nodes.
     *
     * @throws OutsideException if it does not answer within the publish timeout
     */
    public void check() {
        try {
            admin.describeCluster().nodes().get(timeout.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw unreachable(e.getCause() == null ? e : e.getCause());
        } catch (TimeoutException e) {
            throw unreachable(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unreachable(e);
        }
    }

    private OutsideException unreachable(Throwable cause) {
        return new OutsideException(
                OutsideException.Side.KAFKA,
                "could not reach Kafka at " + bootstrapServers + " (" + KafkaErrors.words(timeout, cause) + ")",
                cause);
    }

    @Override
    public Map<String, Refusal> refused(Set<String> names) {
        return topics.refused(names);
    }

    /** Waits a moment for what is under way; a record that is cut off here stays staged and is published again. */
    @Override
    public void close() {
        producer.close(CLOSE_MAX);
        admin.close(CLOSE_MAX);
    }

    private final class SharedProducerSession implements Session {

        @Override
        public Progress progress() {
            return Progress.NONE;
        }

        @Override
        public Outcome publish(Batch batch) {
            try {
                Map<String, Refusal> refused = topics.refused(batch.jobs());
                List<Job> accepted = refused.isEmpty()
                        ? batch.jobs()
                        : batch.jobs().stream()
                                .filter(job -> !refused.containsKey(job.topic()))
                                .toList();
                Outcome outcome = send(accepted).await(refused);
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

        /** Stops at the first failure: what follows must not overtake, nor wait for a cluster that is away. */
        @SuppressWarnings("FutureReturnValueIgnored") // the callback learns the same, without an object to wait on
        private Deliveries send(List<Job> jobs) {
            Deliveries deliveries = new Deliveries(jobs);
            for (int i = 0; i < jobs.size(); i++) {
                Exception failure = deliveries.failure();
                if (failure != null) {
                    deliveries.notSent(i, failure);
                    break;
                }
                try {
                    producer.send(cloudEvents.record(jobs.get(i)), deliveries.callback(i));
                } catch (KafkaException | IllegalStateException e) {
                    deliveries.notSent(i, e);
                }
            }
            return deliveries;
        }

        @Override
        public void close() {
            // the producer is shared
        }
    }
}
