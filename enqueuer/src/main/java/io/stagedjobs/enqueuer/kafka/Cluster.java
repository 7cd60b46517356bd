package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiFunction;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.AuthenticationException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Asks the cluster and its controller, each time with a deadline. Thread-safe. */
final class Cluster implements AutoCloseable {

    static final Duration CLOSE_MAX = Duration.ofSeconds(1);

    private static final Logger log = LoggerFactory.getLogger(Cluster.class);

    private static final Executor LATER = CompletableFuture.delayedExecutor(1, TimeUnit.SECONDS);

    private final KafkaClientSettings settings;
    private final Duration timeout;
    private final Duration lookUpMax;
    private final String bootstrapServers;
    /** The ids that are fenced or being fenced. */
    private final Set<String> fenced = ConcurrentHashMap.newKeySet();

    private Admin admin;
    private long connectedAt;
    private boolean closed;

    Cluster(KafkaClientSettings settings) {
        this.settings = settings;
        this.timeout = settings.askMax();
        this.lookUpMax = settings.lookUpMax();
        this.bootstrapServers = settings.operator().getOrDefault("bootstrap.servers", "");
        this.admin = Admin.create(settings.admin());
        this.connectedAt = System.nanoTime();
    }

    synchronized Admin admin() {
        return admin;
    }

    /**
     * Replaces a client that got no answer, or whose login was refused. Kafka's admin client may then stay stuck: up to
     * five minutes after a refused login, and an hour after a connection that was accepted and never answered. A client
     * younger than the shortest wait has already been replaced.
     */
    private synchronized void connectAnew() {
        if (closed || System.nanoTime() - connectedAt < lookUpMax.toNanos()) {
            return;
        }
        try {
            Admin next = Admin.create(settings.admin());
            admin.close(Duration.ofMillis(1)); // 0 would wait for its thread for ever
            admin = next;
        } catch (KafkaException unreadableNow) { // a file that is being replaced: the next failure retries
            log.debug("could not connect anew", unreadableNow);
        }
        connectedAt = System.nanoTime();
    }

    /** Asks for topics, and for our rights on them. */
    Map<String, KafkaFuture<TopicDescription>> describe(Set<String> topics) {
        return describe(admin(), topics);
    }

    /** As {@link #describe(Set)}, with any client. */
    static Map<String, KafkaFuture<TopicDescription>> describe(Admin admin, Set<String> topics) {
        return admin.describeTopics(topics, new DescribeTopicsOptions().includeAuthorizedOperations(true))
                .topicNameValues();
    }

    /** Asks for the configurations of topics. */
    Map<String, KafkaFuture<Config>> configurations(Set<String> topics) {
        return configurations(admin(), topics);
    }

    /** As {@link #configurations(Set)}, with any client. */
    static Map<String, KafkaFuture<Config>> configurations(Admin admin, Set<String> topics) {
        return admin.describeConfigs(topics.stream().map(Cluster::resource).toList()).values().entrySet().stream()
                .collect(Collectors.toMap(entry -> entry.getKey().name(), Map.Entry::getValue));
    }

    private static ConfigResource resource(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    /** The time, of {@link System#nanoTime}, until which a batch that looks topics up now may wait for the answers. */
    long lookUpDeadline() {
        return System.nanoTime() + lookUpMax.toNanos();
    }

    /** The time for which a batch waits for the answers about its topics. */
    long lookUpMaxNanos() {
        return lookUpMax.toNanos();
    }

    /**
     * Asks for the nodes.
     *
     * @throws ExternalFailureException if no node answers in time
     */
    void check() {
        try {
            ask("list its nodes", admin().describeCluster().nodes());
        } catch (ExternalFailureException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new ExternalFailureException(
                    e.origin(),
                    "could not reach Kafka at " + bootstrapServers + " (" + KafkaErrors.words(timeout, cause) + ")",
                    cause);
        }
    }

    /**
     * Whether the end of the last transaction under an id is decided, and missing in some partition, but not in this
     * one. This says nothing about the producer, which may begin another transaction once all partitions have the end:
     * see decision 0028.
     */
    boolean decided(String transactionalId, TopicPartition partition) {
        TransactionDescription last = ask(
                "describe transactional id " + transactionalId,
                admin().describeTransactions(Set.of(transactionalId)).description(transactionalId));
        boolean prepared =
                last.state() == TransactionState.PREPARE_COMMIT || last.state() == TransactionState.PREPARE_ABORT;
        return prepared && !last.topicPartitions().contains(partition); // a partition is listed until it has the marker
    }

    /**
     * Fences the producer of an id and ends its open transaction, once its last transaction is ended everywhere.
     * Retries in the background until Kafka has answered once, and does not ask again after that.
     */
    @SuppressWarnings("FutureReturnValueIgnored") // whenComplete handles the result
    void fence(String transactionalId) {
        Admin asked = admin();
        if (!fenced.add(transactionalId)) {
            return;
        }
        asked.fenceProducers(Set.of(transactionalId)).all().whenComplete((done, failure) -> {
            if (failure != null && !isClosed()) {
                LATER.execute(() -> {
                    fenced.remove(transactionalId);
                    fence(transactionalId);
                });
            }
        });
    }

    private synchronized boolean isClosed() {
        return closed;
    }

    /** The offset behind the last record of a partition, committed or not. */
    long highWatermark(TopicPartition partition) {
        return ask(
                        "read the end of " + partition,
                        admin().listOffsets(Map.of(partition, OffsetSpec.latest()))
                                .partitionResult(partition))
                .offset();
    }

    /** Waits for an answer for as long as a question outside any batch may take. */
    <T> T ask(String what, @Nullable KafkaFuture<T> future) {
        return answer(what, future, System.nanoTime() + timeout.toNanos());
    }

    /**
     * Waits for an answer. If it does not come, the next question uses a new connection.
     *
     * @param deadline of {@link System#nanoTime}
     * @throws ExternalFailureException with Kafka's error as its cause
     */
    <T> T answer(String what, @Nullable KafkaFuture<T> future, long deadline) {
        try {
            return await(what, future, deadline);
        } catch (ExternalFailureException e) {
            notAnswered(e);
            throw e;
        }
    }

    /** As {@link #answer}, for one of many questions: the caller decides whether the connection is at fault. */
    <T> T await(String what, @Nullable KafkaFuture<T> future, long deadline) {
        return await(what, future, deadline, Cluster::failure);
    }

    /**
     * Waits for an answer of any client.
     *
     * @param deadline of {@link System#nanoTime}
     * @param failure makes of {@code what} and Kafka's error, or a timeout, what is thrown
     */
    static <T> T await(
            String what,
            @Nullable KafkaFuture<T> future,
            long deadline,
            BiFunction<String, Throwable, ExternalFailureException> failure) {
        try {
            if (future == null) {
                throw new IllegalStateException("not asked: " + what);
            }
            return future.get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw failure.apply(what, e.getCause() == null ? e : e.getCause());
        } catch (TimeoutException e) {
            throw failure.apply(what, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failure.apply(what, e);
        }
    }

    /** The longest wait for an answer outside any batch. */
    Duration timeout() {
        return timeout;
    }

    /** Uses another connection from now on, if this one may be the cause of the missing answer. */
    void notAnswered(ExternalFailureException failure) {
        Throwable cause = failure.getCause();
        if (cause != null && (KafkaErrors.isTimeout(cause) || cause instanceof AuthenticationException)) {
            connectAnew();
        }
    }

    static ExternalFailureException failure(String what, Throwable cause) {
        String words = KafkaErrors.isTimeout(cause) ? "no answer in time" : KafkaErrors.oneLine(cause);
        return new ExternalFailureException(Origin.KAFKA, "Kafka could not " + what + " (" + words + ")", cause);
    }

    @Override
    public void close() {
        Admin last;
        synchronized (this) {
            closed = true; // a lane that still waits for an answer does not connect again
            last = admin;
        }
        last.close(CLOSE_MAX);
    }
}
