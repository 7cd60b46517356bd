package io.stagedjobs.consumer;

import org.apache.kafka.common.Uuid;

/**
 * How far a consumer has finished a partition, as its database remembers it.
 *
 * @param topicId Kafka's id of the topic that was read
 * @param nextOffset every job below is finished
 */
record Mark(Uuid topicId, long nextOffset) {}
