package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Refusal;
import io.stagedjobs.enqueuer.diagnosis.Finding;
import io.stagedjobs.enqueuer.diagnosis.KafkaCommands;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.TopicConfig;
import org.jspecify.annotations.Nullable;

/** Whether the jobs' topics and the progress topic exist, accept records and keep them. */
final class TopicFindings {

    private static final String JOBS = "topics of jobs";
    private static final String PROGRESS = "progress topic";
    private static final int REPLICAS_TO_SURVIVE = 2;

    /** Headers, key and name beside a payload: more than most jobs have. */
    private static final int OVERHEAD_BYTES = 10_000;

    private final KafkaQuestions kafka;
    private final KafkaClientSettings settings;
    private final int brokers;

    TopicFindings(KafkaQuestions kafka, KafkaClientSettings settings, int brokers) {
        this.kafka = kafka;
        this.settings = settings;
        this.brokers = brokers;
    }

    /** A finding for each topic with a problem, and one for all others. One request asks for all topics. */
    List<Finding> ofJobs(Set<String> topics, int payloadBytesMax) {
        if (topics.isEmpty()) {
            return List.of(new Finding(JOBS, Verdict.OK, "no job waits for a topic", ""));
        }
        Map<String, KafkaFuture<TopicDescription>> descriptions = Cluster.describe(kafka.admin(), topics);
        Map<String, KafkaFuture<Config>> configs = Cluster.configurations(kafka.admin(), topics);
        List<Finding> findings = new ArrayList<>();
        long deadline = KafkaQuestions.deadline();
        int well = 0;
        for (String topic : topics) {
            try {
                Optional<Finding> problem =
                        ofJobs(topic, descriptions.get(topic), configs.get(topic), deadline, payloadBytesMax);
                problem.ifPresent(findings::add);
                well += problem.isPresent() ? 0 : 1;
            } catch (ExternalFailureException e) {
                findings.add(KafkaQuestions.notLooked(JOBS, e));
            }
        }
        if (well > 0) {
            findings.add(new Finding(
                    JOBS,
                    Verdict.OK,
                    well + " of " + topics.size() + " topics that jobs wait for exist and take them",
                    ""));
        }
        return findings;
    }

    private Optional<Finding> ofJobs(
            String topic,
            @Nullable KafkaFuture<TopicDescription> asked,
            @Nullable KafkaFuture<Config> askedConfig,
            long deadline,
            int payloadBytesMax) {
        TopicDescription description;
        try {
            description = kafka.answer("describe topic " + topic, asked, deadline);
        } catch (ExternalFailureException e) {
            Refusal refusal = KafkaErrors.refusalOfTopic(e.getCause() == null ? e : e.getCause())
                    .orElseThrow(() -> e);
            return Optional.of(refused(topic, refusal.reason()));
        }
        Set<AclOperation> allowed = description.authorizedOperations();
        if (allowed != null && !allowed.contains(AclOperation.WRITE)) {
            return Optional.of(refused(topic, Refusal.Reason.TOPIC_FORBIDDEN));
        }
        Config config = kafka.answer("tell the configuration of topic " + topic, askedConfig, deadline);
        Optional<Finding> replicas = replicas(JOBS, description, config);
        if (replicas.isPresent()) {
            return replicas;
        }
        int takes = Math.min(TopicLimits.recordBytesMax(config), settings.recordBytesMax());
        return takes >= payloadBytesMax + OVERHEAD_BYTES
                ? Optional.empty()
                : Optional.of(new Finding(
                        JOBS,
                        Verdict.WARNING,
                        "topic " + topic + " takes records of at most " + TopicLimits.recordBytesMax(config)
                                + " bytes and the client sends at most " + settings.recordBytesMax()
                                + ", but payloads of " + payloadBytesMax
                                + " bytes may be staged: larger jobs would be parked",
                        KafkaCommands.configure(topic, "max.message.bytes=" + (payloadBytesMax + OVERHEAD_BYTES))
                                + " and, where the client sends less, STAGED_JOBS_KAFKA_MAX_REQUEST_SIZE="
                                + (payloadBytesMax + OVERHEAD_BYTES)
                                + "; or let less be staged: staged-jobs migrate --payload-max "
                                + Math.max(1, takes - OVERHEAD_BYTES)));
    }

    private static Finding refused(String topic, Refusal.Reason reason) {
        return switch (reason) {
            case TOPIC_MISSING ->
                new Finding(
                        JOBS,
                        Verdict.WRONG,
                        "topic " + topic + " does not exist: its jobs are held",
                        KafkaCommands.create(topic));
            case TOPIC_FORBIDDEN ->
                new Finding(
                        JOBS,
                        Verdict.WRONG,
                        "this client may not write to topic " + topic + ": its jobs are held",
                        KafkaCommands.allow(topic, "Describe", "Write"));
            default ->
                new Finding(
                        JOBS,
                        Verdict.WRONG,
                        "Kafka does not take the name of topic " + topic + ": its jobs are parked",
                        "staged-jobs parked list --topic " + topic);
        };
    }

    /** The problem with the replicas; empty if there is none. */
    private Optional<Finding> replicas(String check, TopicDescription topic, Config config) {
        TopicLimits limits = TopicLimits.of(topic, config);
        Optional<String> unavailable = limits.unavailable(topic);
        if (unavailable.isPresent()) {
            return Optional.of(new Finding(
                    check,
                    Verdict.WRONG,
                    "topic " + topic.name() + " takes nothing now: " + unavailable.get(),
                    "Start the brokers that are missing; see " + KafkaCommands.describe(topic.name())));
        }
        int inSyncMin = limits.inSyncMin();
        int copies = topic.partitions().stream()
                .mapToInt(partition -> partition.replicas().size())
                .min()
                .orElse(0);
        if (brokers >= REPLICAS_TO_SURVIVE && (copies < REPLICAS_TO_SURVIVE || inSyncMin < REPLICAS_TO_SURVIVE)) {
            return Optional.of(new Finding(
                    check,
                    Verdict.WARNING,
                    "topic " + topic.name() + " has " + copies + " replica(s) and min.insync.replicas " + inSyncMin
                            + ": what Kafka acknowledged is lost with one broker",
                    (copies < REPLICAS_TO_SURVIVE ? "Add replicas: kafka-reassign-partitions.sh; then " : "")
                            + KafkaCommands.configure(topic.name(), "min.insync.replicas=" + REPLICAS_TO_SURVIVE)));
        }
        return Optional.empty();
    }

    /** The database's progress topic, which may be missing before the first start. */
    Finding progress(String database, int lanes) {
        String topic = ExactlyOncePublisher.progressTopic(database);
        TopicDescription description;
        try {
            description = kafka.answer(
                    "describe topic " + topic,
                    Cluster.describe(kafka.admin(), Set.of(topic)).get(topic));
        } catch (ExternalFailureException e) {
            Refusal refusal = KafkaErrors.refusalOfTopic(e.getCause() == null ? e : e.getCause())
                    .orElseThrow(() -> e);
            return refusal.reason() == Refusal.Reason.TOPIC_MISSING
                    ? new Finding(
                            PROGRESS,
                            Verdict.WARNING,
                            "topic " + topic + " does not exist: the first enqueuer creates it. If one has worked on"
                                    + " this database before, it was lost, or this is another cluster",
                            "Before the first start, where topics have one replica unless they say otherwise: "
                                    + KafkaCommands.create(topic) + " --partitions " + lanes
                                    + " --replication-factor 3 --config cleanup.policy=compact --config"
                                    + " segment.bytes=" + ClusterRequirements.PROGRESS_SEGMENT_BYTES)
                    : new Finding(PROGRESS, Verdict.WRONG, "this client may not use topic " + topic, rights(topic));
        }
        Set<AclOperation> allowed = description.authorizedOperations();
        if (allowed != null && !allowed.containsAll(ClusterRequirements.PROGRESS_RIGHTS)) {
            return new Finding(PROGRESS, Verdict.WRONG, "this client may not use topic " + topic, rights(topic));
        }
        Config config = kafka.answer(
                "tell the configuration of topic " + topic,
                Cluster.configurations(kafka.admin(), Set.of(topic)).get(topic));
        String policy = config.get(TopicConfig.CLEANUP_POLICY_CONFIG).value();
        if (description.partitions().size() != lanes || !policy.equals(TopicConfig.CLEANUP_POLICY_COMPACT)) {
            return new Finding(
                    PROGRESS,
                    Verdict.WRONG,
                    "topic " + topic + " has " + description.partitions().size() + " partitions for " + lanes
                            + " lanes, and cleanup.policy " + policy,
                    KafkaCommands.configure(topic, "cleanup.policy=compact")
                            + "; for partitions, see \"cannot use topic\" in operations.md");
        }
        return replicas(PROGRESS, description, config)
                .orElseGet(() -> new Finding(
                        PROGRESS,
                        Verdict.OK,
                        "topic " + topic + " has one partition a lane, is compacted and may be used",
                        ""));
    }

    private static String rights(String topic) {
        return KafkaCommands.allow(topic, "Read", "Write", "Describe", "DescribeConfigs");
    }
}
