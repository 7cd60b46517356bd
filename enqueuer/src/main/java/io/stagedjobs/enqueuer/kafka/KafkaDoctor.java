package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.diagnosis.ClockOffset;
import io.stagedjobs.enqueuer.diagnosis.Finding;
import io.stagedjobs.enqueuer.diagnosis.KafkaChecks;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.QuorumInfo;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;
import org.jspecify.annotations.Nullable;

/** The checks of Kafka. Each look has an admin client of its own, asks only, and closes it. */
public final class KafkaDoctor implements KafkaChecks {

    private static final String MAX_TRANSACTION_TIMEOUT = "transaction.max.timeout.ms";

    private final KafkaClientSettings settings;
    private final DeliveryMode delivery;
    private final Duration takeoverAfter;

    /** @param takeoverAfter the age of a heartbeat at which other enqueuers take its lanes */
    public KafkaDoctor(KafkaClientSettings settings, DeliveryMode delivery, Duration takeoverAfter) {
        this.settings = settings;
        this.delivery = delivery;
        this.takeoverAfter = takeoverAfter;
    }

    @Override
    public Looked look(Questions questions) {
        String brokers = settings.operator().getOrDefault("bootstrap.servers", "");
        Admin admin;
        try {
            admin = KafkaErrors.configured(() -> Admin.create(settings.admin()));
        } catch (IllegalArgumentException e) {
            return away("a client cannot be made of the settings: " + settings.refused(e));
        }
        try {
            KafkaQuestions kafka = new KafkaQuestions(admin);
            List<Node> nodes;
            try {
                nodes = List.copyOf(
                        kafka.answer("name its nodes", admin.describeCluster().nodes()));
            } catch (ExternalFailureException e) {
                return away("no broker of " + brokers + " answers (" + e.getMessage() + ")");
            }
            return look(kafka, nodes, questions);
        } finally {
            admin.close(Duration.ofMillis(1)); // 0 would wait for its thread for ever
        }
    }

    private static Looked away(String why) {
        List<Finding> findings = new ArrayList<>();
        findings.add(new Finding(
                "Kafka",
                Verdict.WRONG,
                why,
                "Start the brokers, or correct STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS and the other kafka.… settings"));
        List.of("transactions", "topics of jobs", "progress topic")
                .forEach(check -> findings.add(Finding.notLooked(check, "Kafka cannot be reached", "")));
        return new Looked(why, null, findings);
    }

    private Looked look(KafkaQuestions kafka, List<Node> nodes, Questions questions) {
        List<Finding> findings = new ArrayList<>();
        findings.add(new Finding("Kafka", Verdict.OK, nodes.size() + " broker(s) answer", ""));
        TopicFindings topics = new TopicFindings(kafka, settings, nodes.size());
        if (delivery == DeliveryMode.EXACTLY_ONCE) {
            findings.add(checked("transactions", () -> transactionVersion(kafka)));
            findings.add(checked("time-outs of Kafka", () -> timeouts(kafka, nodes.get(0))));
            String database = questions.database();
            if (database != null) {
                findings.add(checked("transactional ids", () -> transactionalIds(kafka, database)));
                findings.add(checked("progress topic", () -> topics.progress(database, questions.lanes())));
            }
        }
        findings.addAll(topics.ofJobs(questions.topics(), questions.payloadBytesMax()));
        return new Looked(null, clock(kafka), findings);
    }

    private static Finding checked(String check, Supplier<Finding> look) {
        try {
            return look.get();
        } catch (ExternalFailureException e) {
            return KafkaQuestions.notLooked(check, e);
        }
    }

    private static Finding transactionVersion(KafkaQuestions kafka) {
        int level = ClusterRequirements.transactionVersion(kafka.answer(
                "describe its features", kafka.admin().describeFeatures().featureMetadata()));
        return level >= ClusterRequirements.TRANSACTION_VERSION_MIN
                ? new Finding("transactions", Verdict.OK, "transaction.version is " + level, "")
                : new Finding(
                        "transactions",
                        Verdict.WRONG,
                        "transaction.version is " + level + ", and exactly-once needs "
                                + ClusterRequirements.TRANSACTION_VERSION_MIN,
                        "kafka-features.sh --bootstrap-server <broker> upgrade --feature transaction.version=2");
    }

    /** publish.timeout < takeover.after < transaction.timeout.ms <= what the brokers allow. */
    private Finding timeouts(KafkaQuestions kafka, Node broker) {
        String check = "time-outs of Kafka";
        Duration transaction = settings.transactionTimeout();
        String order = "publish.timeout " + settings.publishTimeout().toMillis() + " ms, takeover.after "
                + takeoverAfter.toMillis() + " ms, transaction.timeout.ms " + transaction.toMillis();
        if (transaction.compareTo(settings.publishTimeout()) <= 0) {
            return new Finding(
                    check,
                    Verdict.WRONG,
                    "Kafka ends transactions of batches that are still waited for: " + order,
                    "Remove STAGED_JOBS_KAFKA_TRANSACTION_TIMEOUT_MS, and restart the enqueuers");
        }
        if (transaction.compareTo(takeoverAfter) <= 0) {
            return new Finding(
                    check,
                    Verdict.WARNING,
                    "Kafka gives a transaction up before another enqueuer takes its lane: " + order,
                    "Remove STAGED_JOBS_KAFKA_TRANSACTION_TIMEOUT_MS, and restart the enqueuers");
        }
        ConfigResource resource = new ConfigResource(ConfigResource.Type.BROKER, broker.idString());
        Config config = kafka.answer(
                "tell the configuration of broker " + broker.idString(),
                kafka.admin().describeConfigs(Set.of(resource)).values().get(resource));
        long allowed = Long.parseLong(config.get(MAX_TRANSACTION_TIMEOUT).value());
        return allowed < transaction.toMillis()
                ? new Finding(
                        check,
                        Verdict.WRONG,
                        "the brokers' transaction.max.timeout.ms is " + allowed + ", and ours is longer: " + order,
                        "Set STAGED_JOBS_KAFKA_TRANSACTION_TIMEOUT_MS=" + allowed + ", and restart the enqueuers")
                : new Finding(check, Verdict.OK, "in order: " + order + ", the brokers allow " + allowed, "");
    }

    private static Finding transactionalIds(KafkaQuestions kafka, String database) {
        String id = ExactlyOncePublisher.transactionalId(database, 0, 0);
        try {
            kafka.answer(
                    "describe transactional id " + id,
                    kafka.admin().describeTransactions(Set.of(id)).description(id));
        } catch (ExternalFailureException e) {
            if (KafkaQuestions.isForbidden(e)) {
                return new Finding(
                        "transactional ids",
                        Verdict.WRONG,
                        "this client may not use transactional id " + id,
                        "kafka-acls.sh --bootstrap-server <broker> --add --allow-principal User:<enqueuer> --operation"
                                + " Write --operation Describe --transactional-id staged-jobs-"
                                + " --resource-pattern-type prefixed");
            }
            if (!(e.getCause() instanceof TransactionalIdNotFoundException)) { // not used yet
                throw e;
            }
        }
        return new Finding("transactional ids", Verdict.OK, "this client may describe them", "");
    }

    /** The active controller says of itself when it was last caught up with itself: that is now, by its clock. */
    private static @Nullable ClockOffset clock(KafkaQuestions kafka) {
        try {
            quorum(kafka); // the first question also connects
            return ClockOffset.measure(() -> {
                QuorumInfo quorum = quorum(kafka);
                return quorum.voters().stream()
                        .filter(voter -> voter.replicaId() == quorum.leaderId())
                        .mapToLong(leader -> leader.lastCaughtUpTimestamp().orElseThrow())
                        .findFirst()
                        .orElseThrow();
            });
        } catch (Exception unknown) { // an older cluster, or one that this client may not ask
            return null;
        }
    }

    private static QuorumInfo quorum(KafkaQuestions kafka) {
        return kafka.answer(
                "describe its quorum", kafka.admin().describeMetadataQuorum().quorumInfo());
    }
}
