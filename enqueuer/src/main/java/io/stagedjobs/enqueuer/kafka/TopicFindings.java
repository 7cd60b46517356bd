package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Refusal;
import io.stagedjobs.enqueuer.diagnosis.Finding;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.TopicConfig;
import org.jspecify.annotations.Nullable;

/** Whether topics are there, take what is staged, and keep it: those of jobs, and that of progress. */
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
                Optional<Finding> amiss =
                        ofJobs(topic, descriptions.get(topic), configs.get(topic), deadline, payloadBytesMax);
                amiss.ifPresent(findings::add);
                well += amiss.isPresent() ? 0 : 1;
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
        Optional<Finding> unwell = replicas(JOBS, description, config);
        if (unwell.isPresent()) {
            return unwell;
        }
        int takes = Math.min(Topics.recordBytesMax(config), settings.recordBytesMax());
        return takes >= payloadBytesMax + OVERHEAD_BYTES
                ? Optional.empty()
                : Optional.of(new Finding(
                        JOBS,
                        Verdict.WARNING,
                        "topic " + topic + " takes records of at most " + Topics.recordBytesMax(config)
                                + " bytes and the client sends at most " + settings.recordBytesMax()
                                + ", but payloads of " + payloadBytesMax
                                + " bytes may be staged: larger jobs would be parked",
                        "kafka-configs.sh --bootstrap-server <broker> --alter --entity-type topics --entity-name "
                                + topic
                                + " --add-config max.message.bytes=" + (payloadBytesMax + OVERHEAD_BYTES)
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
                        "kafka-topics.sh --bootstrap-server <broker> --create --topic " + topic);
            case TOPIC_FORBIDDEN ->
                new Finding(
                        JOBS,
                        Verdict.WRONG,
                        "this client may not write to topic " + topic + ": its jobs are held",
                        "kafka-acls.sh --bootstrap-server <broker> --add --allow-principal User:<enqueuer>"
                                + " --operation Describe --operation Write --topic " + topic);
            default ->
                new Finding(
                        JOBS,
                        Verdict.WRONG,
                        "Kafka does not take the name of topic " + topic + ": its jobs are parked",
                        "staged-jobs parked list --topic " + topic);
        };
    }

    /** What is amiss with the replicas; empty if nothing is. */
    private Optional<Finding> replicas(String check, TopicDescription topic, Config config) {
        int inSyncMin = Integer.parseInt(
                config.get(TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG).value());
        int copies = Integer.MAX_VALUE;
        for (TopicPartitionInfo partition : topic.partitions()) {
            copies = Math.min(copies, partition.replicas().size());
            boolean leads = partition.leader() != null && !partition.leader().isEmpty();
            if (!leads || partition.isr().size() < inSyncMin) {
                return Optional.of(new Finding(
                        check,
                        Verdict.WRONG,
                        "partition " + partition.partition() + " of topic " + topic.name() + " "
                                + (leads
                                        ? "has " + partition.isr().size() + " replica(s) in sync, and its"
                                                + " min.insync.replicas is " + inSyncMin
                                        : "has no leader")
                                + ": it takes nothing now",
                        "Start the brokers that are missing; see kafka-topics.sh --bootstrap-server <broker> --describe"
                                + " --topic " + topic.name()));
            }
        }
        if (brokers >= REPLICAS_TO_SURVIVE && (copies < REPLICAS_TO_SURVIVE || inSyncMin < REPLICAS_TO_SURVIVE)) {
            return Optional.of(new Finding(
                    check,
                    Verdict.WARNING,
                    "topic " + topic.name() + " has " + copies + " replica(s) and min.insync.replicas " + inSyncMin
                            + ": what Kafka acknowledged is lost with one broker",
                    copies < REPLICAS_TO_SURVIVE
                            ? "Add replicas: kafka-reassign-partitions.sh; then kafka-configs.sh --bootstrap-server"
                                    + " <broker> --alter --entity-type topics --entity-name " + topic.name()
                                    + " --add-config min.insync.replicas=2"
                            : "kafka-configs.sh --bootstrap-server <broker> --alter --entity-type topics --entity-name "
                                    + topic.name() + " --add-config min.insync.replicas=2"));
        }
        return Optional.empty();
    }

    /** That of the database's progress; before the first start it need not be there. */
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
                            "Before the first start, where topics have one replica unless they say otherwise:"
                                    + " kafka-topics.sh --bootstrap-server <broker> --create --topic " + topic
                                    + " --partitions " + lanes
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
                    "kafka-configs.sh --bootstrap-server <broker> --alter --entity-type topics --entity-name " + topic
                            + " --add-config cleanup.policy=compact; for partitions, see \"cannot use topic\" in"
                            + " operations.md");
        }
        return replicas(PROGRESS, description, config)
                .orElseGet(() -> new Finding(
                        PROGRESS,
                        Verdict.OK,
                        "topic " + topic + " has one partition a lane, is compacted and may be used",
                        ""));
    }

    private static String rights(String topic) {
        return "kafka-acls.sh --bootstrap-server <broker> --add --allow-principal User:<enqueuer> --operation Read"
                + " --operation Write --operation Describe --operation DescribeConfigs --topic " + topic;
    }
}
