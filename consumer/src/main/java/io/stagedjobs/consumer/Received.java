package io.stagedjobs.consumer;

import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;

/** A record in the window and the failed attempts to handle it. Belongs to the worker that has taken it. */
final class Received {

    final ConsumerRecord<byte @Nullable [], byte @Nullable []> record;
    int attempts;

    Received(ConsumerRecord<byte @Nullable [], byte @Nullable []> record) {
        this.record = record;
    }

    /** What it takes up in memory, roughly. */
    int bytes() {
        return Math.max(0, record.serializedKeySize()) + Math.max(0, record.serializedValueSize());
    }

    @Override
    public String toString() {
        return record.topic() + "-" + record.partition() + "@" + record.offset();
    }
}
