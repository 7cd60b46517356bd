package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.DescribeTransactionsResult;
import org.apache.kafka.clients.admin.FinalizedVersionRange;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.TransactionalIdAuthorizationException;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Asks the cluster and its controller, each time with a deadline. Thread-safe. */
final class Cluster implements AutoCloseable {

    static final Duration CLOSE_MAX = Duration.ofSeconds(1);

    private static final Logger log = LoggerFactory.getLogger(Cluster.class);

    /** KIP-890: from this version on, a late request cannot continue a transaction of a fenced producer. */
    private static final int TRANSACTION_VERSION_MIN = 2;

    private static final Set<AclOperation> PROGRESS_RIGHTS = Set.of(AclOperation.READ, AclOperation.WRITE);

    private static final Duration LOOK_AGAIN_AFTER = Duration.ofMillis(100);

    private static final Executor LATER = CompletableFuture.delayedExecutor(1, TimeUnit.SECONDS);

    private static final String PROGRESS_SEGMENT_BYTES = String.valueOf(16 << 20);

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

    private synchronized Admin admin() {
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
        return admin().describeTopics(topics, new DescribeTopicsOptions().includeAuthorizedOperations(true))
                .topicNameValues();
    }

    /** Asks for the configurations of topics. */
    Map<String, KafkaFuture<Config>> configurations(Set<String> topics) {
        return admin().describeConfigs(topics.stream().map(Cluster::resource).toList()).values().entrySet().stream()
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

    /** @throws ExternalFailureException if the cluster's transactions are too old; the message says what to do */
    void requireTransactions() {
        FinalizedVersionRange version = ask(
                        "describe its features", admin().describeFeatures().featureMetadata())
                .finalizedFeatures()
                .get("transaction.version");
        int level = version == null ? 0 : version.maxVersionLevel();
        if (level < TRANSACTION_VERSION_MIN) {
            throw new ExternalFailureException(
                    Origin.KAFKA,
                    "cannot publish exactly once to this cluster: its transaction.version is " + level + ", at least "
                            + TRANSACTION_VERSION_MIN
                            + " is needed (Kafka 4.0 and later). Raise it with kafka-features.sh"
                            + " upgrade --feature transaction.version=2, or run with"
                            + " STAGED_JOBS_DELIVERY=at-least-once",
                    null);
        }
    }

    /** @throws ExternalFailureException if we may not use these transactional ids; the message says what to do */
    void requireTransactionalIds(Set<String> ids) {
        DescribeTransactionsResult described = admin().describeTransactions(ids);
        for (String id : ids) {
            try {
                ask("describe transactional id " + id, described.description(id));
            } catch (ExternalFailureException e) {
                if (e.getCause() instanceof TransactionalIdAuthorizationException) {
                    throw new ExternalFailureException(
                            e.origin(),
                            "may not use transactional id " + id
                                    + ": grant WRITE and DESCRIBE on the transactional ids with the prefix"
                                    + " staged-jobs-, or run with STAGED_JOBS_DELIVERY=at-least-once",
                            e);
                }
                if (!(e.getCause() instanceof TransactionalIdNotFoundException)) { // not used yet
                    throw e;
                }
            }
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

    /**
     * Creates the compacted topic for the lanes' progress if it is missing, and checks its configuration.
     *
     * @return the size of the largest record that it takes
     * @throws ExternalFailureException if it cannot be created, is unsuitable or may not be used; the message says what
     *     to do
     */
    int requireProgressTopic(String topic, int lanes) {
        Optional<TopicDescription> found = find(topic);
        if (found.isEmpty()) {
            create(topic, lanes);
        }
        TopicDescription there = found.orElseGet(() -> awaitVisible(topic));
        Set<AclOperation> allowed = there.authorizedOperations();
        if (allowed != null && !allowed.containsAll(PROGRESS_RIGHTS)) {
            throw new ExternalFailureException(
                    Origin.KAFKA,
                    "may not use topic " + topic + " for progress: grant READ and WRITE on it, beside DESCRIBE and"
                            + " DESCRIBE_CONFIGS",
                    null);
        }
        Config config =
                ask("describe topic " + topic, configurations(Set.of(topic)).get(topic));
        String policy = config.get(TopicConfig.CLEANUP_POLICY_CONFIG).value();
        if (there.partitions().size() != lanes || !policy.equals(TopicConfig.CLEANUP_POLICY_COMPACT)) {
            throw new ExternalFailureException(
                    Origin.KAFKA,
                    "cannot use topic " + topic + " for progress: expected " + lanes
                            + " partitions and cleanup.policy=compact," + " got "
                            + there.partitions().size() + " and " + policy,
                    null);
        }
        return Topics.recordBytesMax(config);
    }

    private Optional<TopicDescription> find(String topic) {
        try {
            return Optional.of(
                    ask("describe topic " + topic, describe(Set.of(topic)).get(topic)));
        } catch (ExternalFailureException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** The controller knows a new topic first, the brokers a little later. */
    private TopicDescription awaitVisible(String topic) {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (System.nanoTime() - deadline < 0) {
            Optional<TopicDescription> found = find(topic);
            if (found.isPresent()) {
                return found.get();
            }
            LockSupport.parkNanos(LOOK_AGAIN_AFTER.toNanos());
        }
        throw failure("describe topic " + topic, new TimeoutException());
    }

    /** Creates the topic, unless another process has just done so. */
    private void create(String topic, int lanes) {
        NewTopic wanted = new NewTopic(topic, Optional.of(lanes), Optional.empty())
                .configs(Map.of(
                        TopicConfig.CLEANUP_POLICY_CONFIG,
                        TopicConfig.CLEANUP_POLICY_COMPACT,
                        TopicConfig.SEGMENT_BYTES_CONFIG,
                        PROGRESS_SEGMENT_BYTES)); // only closed segments are compacted
        try {
            ask("create topic " + topic, admin().createTopics(Set.of(wanted)).all());
        } catch (ExternalFailureException e) {
            if (!(e.getCause() instanceof TopicExistsException)) {
                throw new ExternalFailureException(
                        e.origin(),
                        e.getMessage() + ". Create it by hand with " + lanes
                                + " partitions and cleanup.policy=compact, or allow the enqueuer to",
                        e);
            }
        }
    }

    /** The offset behind the last record of a partition, committed or not. */
    long highWatermark(TopicPartition partition) {
        return ask(
                        "read the end of " + partition,
                        admin().listOffsets(Map.of(partition, OffsetSpec.latest()))
                                .partitionResult(partition))
                .offset();
    }

    private <T> T ask(String what, @Nullable KafkaFuture<T> future) {
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
        try {
            if (future == null) {
                throw new IllegalStateException("not asked: " + what);
            }
            return future.get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw failure(what, e.getCause() == null ? e : e.getCause());
        } catch (TimeoutException e) {
            throw failure(what, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failure(what, e);
        }
    }

    /** Uses another connection from now on, if this one may be the cause of the missing answer. */
    void notAnswered(ExternalFailureException failure) {
        Throwable cause = failure.getCause();
        if (cause != null && (KafkaErrors.isTimeout(cause) || cause instanceof AuthenticationException)) {
            connectAnew();
        }
    }

    private static ExternalFailureException failure(String what, Throwable cause) {
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
