package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.OutsideException;
import io.stagedjobs.enqueuer.Refusal;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.AuthorizationException;
import org.jspecify.annotations.Nullable;

/**
 * Which topics exist and may be written, and what they take. Asked before the first record of a batch is sent, because the
 * producer itself would wait {@code max.block.ms} for a missing topic, and would let a broker create it with its defaults.
 * Safe for use by many threads.
 */
final class Topics {

    /** The broker's own default; for topics whose configuration we may not read. */
    private static final int MESSAGE_BYTES_DEFAULT = 1_048_588;

    /** What a record has beside payload, key, name and headers, at most: more than the CloudEvents headers take. */
    private static final int OVERHEAD_BYTES = 2_000;

    private static final int UTF8_BYTES_MAX = 4;

    private record Limits(int messageBytesMax, boolean keyNeeded) {}

    private final Cluster cluster;
    private final int requestBytesMax;
    private final Map<String, Limits> known = new ConcurrentHashMap<>();

    /** @param requestBytesMax the largest record that the producer takes */
    Topics(Cluster cluster, int requestBytesMax) {
        this.cluster = cluster;
        this.requestBytesMax = requestBytesMax;
    }

    /** The topics of one batch as they were found. */
    final class Found {

        /** Those that cannot be written to now, and why. */
        final Map<String, Refusal> refused = new HashMap<>();

        private final Map<String, Limits> limits = new HashMap<>();

        private Found() {}

        /**
         * The first of the jobs of other topics, in their order, that may share a request. A job that its topic might refuse
         * goes alone, so that a refusal takes nothing along and what follows of its key has not been sent yet.
         */
        List<Job> together(List<Job> jobs) {
            List<Job> accepted = jobs.stream()
                    .filter(job -> !refused.containsKey(job.topic()))
                    .toList();
            for (int i = 0; i < accepted.size(); i++) {
                Limits limit = limits.get(accepted.get(i).topic());
                if (limit == null || mightRefuse(limit, accepted.get(i))) {
                    return accepted.subList(0, Math.max(1, i));
                }
            }
            return accepted;
        }
    }

    /**
     * Looks the topics of some jobs up.
     *
     * @throws OutsideException if the cluster does not answer in time
     */
    Found find(List<Job> jobs) {
        return find(jobs.stream().map(Job::topic).collect(Collectors.toSet()));
    }

    /** As {@link #find(List)}, by the topics' names. */
    Found find(Set<String> topics) {
        Found found = new Found();
        Set<String> unknown = new HashSet<>();
        for (String topic : topics) {
            Limits limits = known.get(topic);
            if (limits == null) {
                unknown.add(topic);
            } else {
                found.limits.put(topic, limits);
            }
        }
        if (!unknown.isEmpty()) {
            lookUp(unknown, found);
            known.putAll(found.limits);
        }
        return found;
    }

    private void lookUp(Set<String> topics, Found found) {
        long deadline = cluster.lookUpDeadline();
        Map<String, KafkaFuture<TopicDescription>> descriptions = cluster.describe(topics);
        Map<String, KafkaFuture<Config>> configs = cluster.configurations(topics);
        descriptions.forEach((topic, description) -> {
            Refusal refusal = refusal(topic, description, deadline);
            if (refusal == null) {
                found.limits.put(topic, limits(topic, configs.get(topic), deadline));
            } else {
                found.refused.put(topic, refusal);
            }
        });
    }

    /** Asks again before the next batch: after any failure a topic may be gone. */
    void forget() {
        known.clear();
    }

    private @Nullable Refusal refusal(String topic, KafkaFuture<TopicDescription> description, long deadline) {
        try {
            Set<AclOperation> allowed = cluster.answer("describe topic " + topic, description, deadline)
                    .authorizedOperations();
            return allowed == null || allowed.contains(AclOperation.WRITE) ? null : KafkaErrors.FORBIDDEN;
        } catch (OutsideException e) {
            return KafkaErrors.refusalOfTopic(e.getCause() == null ? e : e.getCause())
                    .orElseThrow(() -> e);
        }
    }

    /** Who may not read the configuration takes it for Kafka's default: whether a job is refused is the broker's to say. */
    private Limits limits(String topic, @Nullable KafkaFuture<Config> config, long deadline) {
        try {
            Config found = cluster.answer("tell the configuration of topic " + topic, config, deadline);
            int bytesMax = Integer.parseInt(
                    found.get(TopicConfig.MAX_MESSAGE_BYTES_CONFIG).value());
            int segment =
                    Integer.parseInt(found.get(TopicConfig.SEGMENT_BYTES_CONFIG).value());
            String policy = found.get(TopicConfig.CLEANUP_POLICY_CONFIG).value();
            return new Limits(Math.min(bytesMax, segment), policy.contains(TopicConfig.CLEANUP_POLICY_COMPACT));
        } catch (OutsideException e) {
            if (e.getCause() instanceof AuthorizationException) {
                return new Limits(MESSAGE_BYTES_DEFAULT, false);
            }
            throw e;
        }
    }

    private boolean mightRefuse(Limits limits, Job job) {
        int payload = job.payload() == null ? 0 : job.payload().length;
        int text = job.name().length()
                + (job.key() == null ? 0 : job.key().length())
                + (job.headersJson() == null ? 0 : job.headersJson().length());
        long size = (long) payload + (long) UTF8_BYTES_MAX * text + OVERHEAD_BYTES;
        return size > Math.min(limits.messageBytesMax, requestBytesMax) || (limits.keyNeeded && job.key() == null);
    }
}
