package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.DescribeTransactionsResult;
import org.apache.kafka.clients.admin.FeatureMetadata;
import org.apache.kafka.clients.admin.FinalizedVersionRange;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.TransactionalIdAuthorizationException;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/**
 * What the mode exactly-once needs of a cluster. It is checked once, at the start, so that a person reads about it
 * before a lane fails.
 */
final class ClusterRequirements {

    /** KIP-890: from this version on, a late request cannot continue a transaction of a fenced producer. */
    static final int TRANSACTION_VERSION_MIN = 2;

    static final Set<AclOperation> PROGRESS_RIGHTS = Set.of(AclOperation.READ, AclOperation.WRITE);

    private static final Duration LOOK_AGAIN_AFTER = Duration.ofMillis(100);

    static final String PROGRESS_SEGMENT_BYTES = String.valueOf(16 << 20);

    private final Cluster cluster;

    ClusterRequirements(Cluster cluster) {
        this.cluster = cluster;
    }

    /** The cluster's {@code transaction.version}, 0 if it has none. */
    static int transactionVersion(FeatureMetadata features) {
        FinalizedVersionRange version = features.finalizedFeatures().get("transaction.version");
        return version == null ? 0 : version.maxVersionLevel();
    }

    /** @throws ExternalFailureException if the cluster's transactions are too old; the message says what to do */
    void requireTransactions() {
        int level = transactionVersion(cluster.ask(
                "describe its features", cluster.admin().describeFeatures().featureMetadata()));
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
        DescribeTransactionsResult described = cluster.admin().describeTransactions(ids);
        for (String id : ids) {
            try {
                cluster.ask("describe transactional id " + id, described.description(id));
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
        Config config = cluster.ask(
                "describe topic " + topic, cluster.configurations(Set.of(topic)).get(topic));
        String policy = config.get(TopicConfig.CLEANUP_POLICY_CONFIG).value();
        if (there.partitions().size() != lanes || !policy.equals(TopicConfig.CLEANUP_POLICY_COMPACT)) {
            throw new ExternalFailureException(
                    Origin.KAFKA,
                    "cannot use topic " + topic + " for progress: expected " + lanes
                            + " partitions and cleanup.policy=compact," + " got "
                            + there.partitions().size() + " and " + policy,
                    null);
        }
        return TopicLimits.recordBytesMax(config);
    }

    private Optional<TopicDescription> find(String topic) {
        try {
            return Optional.of(cluster.ask(
                    "describe topic " + topic, cluster.describe(Set.of(topic)).get(topic)));
        } catch (ExternalFailureException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** The controller knows a new topic first, the brokers a little later. */
    private TopicDescription awaitVisible(String topic) {
        long deadline = System.nanoTime() + cluster.timeout().toNanos();
        while (System.nanoTime() - deadline < 0) {
            Optional<TopicDescription> found = find(topic);
            if (found.isPresent()) {
                return found.get();
            }
            LockSupport.parkNanos(LOOK_AGAIN_AFTER.toNanos());
        }
        throw Cluster.failure("describe topic " + topic, new TimeoutException());
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
            cluster.ask(
                    "create topic " + topic,
                    cluster.admin().createTopics(Set.of(wanted)).all());
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
}
