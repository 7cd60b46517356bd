package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Job;
import java.util.Optional;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.TopicConfig;

/**
 * What a topic accepts.
 *
 * @param recordBytesMax the size of the largest record
 * @param keyNeeded whether it refuses records without a key, because it is compacted
 * @param inSyncMin the number of replicas that must be in sync
 */
record TopicLimits(int recordBytesMax, boolean keyNeeded, int partitions, int inSyncMin) {

    /** The broker's default, for topics whose configuration we may not read. */
    private static final int RECORD_BYTES_DEFAULT = 1_048_588;

    /** The most bytes of a record beside payload, key, name and headers: more than the CloudEvents headers need. */
    private static final int OVERHEAD_BYTES = 2_000;

    private static final int UTF8_BYTES_MAX = 4;

    static TopicLimits of(TopicDescription topic, Config config) {
        return new TopicLimits(
                recordBytesMax(config),
                config.get(TopicConfig.CLEANUP_POLICY_CONFIG).value().contains(TopicConfig.CLEANUP_POLICY_COMPACT),
                topic.partitions().size(),
                number(config, TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG));
    }

    /** Of a topic whose configuration we may not read. */
    static TopicLimits unknown(TopicDescription topic) {
        return new TopicLimits(RECORD_BYTES_DEFAULT, false, topic.partitions().size(), 1);
    }

    /** The size of the largest record that a topic takes. */
    static int recordBytesMax(Config config) {
        return Math.min(
                number(config, TopicConfig.MAX_MESSAGE_BYTES_CONFIG), number(config, TopicConfig.SEGMENT_BYTES_CONFIG));
    }

    private static int number(Config config, String name) {
        return Integer.parseInt(config.get(name).value());
    }

    /** Why the topic cannot be written to now: a partition without a leader, or with too few replicas in sync. */
    Optional<String> unavailable(TopicDescription topic) {
        for (TopicPartitionInfo partition : topic.partitions()) {
            String words = "its partition " + partition.partition() + " has ";
            if (partition.leader() == null || partition.leader().isEmpty()) {
                return Optional.of(words + "no leader");
            }
            if (partition.isr().size() < inSyncMin) {
                return Optional.of(words + partition.isr().size()
                        + " replica(s) in sync, and its min.insync.replicas is " + inSyncMin);
            }
        }
        return Optional.empty();
    }

    /** Whether the topic, or the producer's largest request, might refuse the job. */
    boolean mightRefuse(Job job, int requestBytesMax) {
        int payload = job.payload() == null ? 0 : job.payload().length;
        int text = job.name().length()
                + (job.key() == null ? 0 : job.key().length())
                + (job.headersJson() == null ? 0 : job.headersJson().length());
        long size = (long) payload + (long) UTF8_BYTES_MAX * text + OVERHEAD_BYTES;
        return size > Math.min(recordBytesMax, requestBytesMax) || (keyNeeded && job.key() == null);
    }
}
