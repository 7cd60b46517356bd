package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.OutsideException;
import io.stagedjobs.enqueuer.Refusal;
import java.util.HashMap;
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
import org.jspecify.annotations.Nullable;

/**
 * Which topics exist and may be written, and what they take. Asked before the first record of a batch is sent, because the
 * producer itself would wait {@code max.block.ms} for a missing topic, and would let a broker create it with its defaults.
 * Safe for use by many threads.
 */
final class Topics {

    /** The broker's own default; for topics whose configuration we may not read. */
    private static final int MESSAGE_BYTES_DEFAULT = 1_048_588;

    /** What a record has beside key, payload and headers, at most. */
    private static final int OVERHEAD_BYTES = 1_000;

    private record Limits(int messageBytesMax, boolean keyNeeded) {}

    private final Cluster cluster;
    private final int requestBytesMax;
    private final Map<String, Limits> known = new ConcurrentHashMap<>();

    /** @param requestBytesMax the largest record that the producer takes */
    Topics(Cluster cluster, int requestBytesMax) {
        this.cluster = cluster;
        this.requestBytesMax = requestBytesMax;
    }

    /**
     * Which of the topics cannot be written to now, and why; empty if all can.
     *
     * @throws OutsideException if the cluster does not answer
     */
    Map<String, Refusal> refused(Set<String> topics) {
        Set<String> unknown =
                topics.stream().filter(topic -> !known.containsKey(topic)).collect(Collectors.toSet());
        Map<String, Refusal> refused = new HashMap<>();
        if (!unknown.isEmpty()) {
            Map<String, KafkaFuture<TopicDescription>> descriptions = cluster.describe(unknown);
            Map<String, KafkaFuture<Config>> configs = cluster.configurations(unknown);
            descriptions.forEach((topic, description) -> {
                Refusal refusal = refusal(topic, description);
                if (refusal == null) {
                    known.put(topic, limits(topic, configs.get(topic)));
                } else {
                    refused.put(topic, refusal);
                }
            });
        }
        return refused;
    }

    /** Asks again before the next batch: after any failure a topic may be gone. */
    void forget() {
        known.clear();
    }

    private @Nullable Refusal refusal(String topic, KafkaFuture<TopicDescription> description) {
        try {
            Set<AclOperation> allowed =
                    cluster.lookUp("describe topic " + topic, description).authorizedOperations();
            return allowed == null || allowed.contains(AclOperation.WRITE) ? null : KafkaErrors.FORBIDDEN;
        } catch (OutsideException e) {
            return KafkaErrors.refusalOfTopic(e.getCause() == null ? e : e.getCause())
                    .orElseThrow(() -> e);
        }
    }

    /** What is not known is taken for Kafka's default: whether a job is refused is the broker's to say. */
    private Limits limits(String topic, @Nullable KafkaFuture<Config> config) {
        try {
            Config found = cluster.lookUp("tell the configuration of topic " + topic, config);
            String bytesMax = found.get(TopicConfig.MAX_MESSAGE_BYTES_CONFIG).value();
            String policy = found.get(TopicConfig.CLEANUP_POLICY_CONFIG).value();
            return new Limits(Integer.parseInt(bytesMax), policy.contains(TopicConfig.CLEANUP_POLICY_COMPACT));
        } catch (OutsideException notAllowed) {
            return new Limits(MESSAGE_BYTES_DEFAULT, false);
        }
    }

    /**
     * The first of the jobs, in their order, that may share a request. A job that its topic might refuse goes alone, so that
     * a refusal takes nothing along and what follows of its key has not been sent yet.
     */
    List<Job> together(List<Job> jobs) {
        for (int i = 0; i < jobs.size(); i++) {
            if (mightBeRefused(jobs.get(i))) {
                return jobs.subList(0, Math.max(1, i));
            }
        }
        return jobs;
    }

    private boolean mightBeRefused(Job job) {
        Limits limits = known.get(job.topic());
        int payload = job.payload() == null ? 0 : job.payload().length;
        int key = job.key() == null ? 0 : 3 * job.key().length(); // at most, in UTF-8
        int headers = job.headersJson() == null ? 0 : 3 * job.headersJson().length();
        int size = payload + key + headers + OVERHEAD_BYTES;
        return limits != null
                && (size > Math.min(limits.messageBytesMax, requestBytesMax)
                        || (limits.keyNeeded && job.key() == null));
    }
}
