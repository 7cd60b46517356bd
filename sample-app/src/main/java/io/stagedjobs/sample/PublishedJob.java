package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/** A job as a reader of Kafka sees it. Whoever can write to the topic decides what is in it: anything may be missing. */
record PublishedJob(ConsumerRecord<@Nullable String, byte @Nullable []> kafka) {

    String topic() {
        return kafka.topic();
    }

    int partition() {
        return kafka.partition();
    }

    long offset() {
        return kafka.offset();
    }

    @Nullable
    String key() {
        return kafka.key();
    }

    /** The header {@code ce_type}: the job's name. */
    @Nullable
    String type() {
        return header("ce_type");
    }

    /** The header {@code ce_id}: the job's identity. */
    @Nullable
    String id() {
        return header("ce_id");
    }

    /** The header {@code ce_time}: when the job was staged, by the database's clock. */
    @Nullable
    Instant stagedAt() {
        @Nullable String time = header("ce_time");
        try {
            return time == null ? null : Instant.parse(time);
        } catch (DateTimeParseException noTime) {
            return null;
        }
    }

    /** From staging to the record's own time in Kafka. */
    @Nullable
    Duration lag() {
        @Nullable Instant stagedAt = stagedAt();
        return stagedAt == null ? null : Duration.between(stagedAt, Instant.ofEpochMilli(kafka.timestamp()));
    }

    /** The number {@code actionId} in the JSON payload. */
    @Nullable
    Long actionId() {
        @Nullable JsonNode json = payload(JsonNode.class);
        @Nullable JsonNode id = json == null ? null : json.get("actionId");
        return id != null && id.canConvertToLong() && id.isIntegralNumber() ? id.longValue() : null;
    }

    /** The payload, if it is JSON of this shape; fields that the shape does not know are left out. */
    <T> @Nullable T payload(Class<T> type) {
        byte @Nullable [] payload = kafka.value();
        try {
            return payload == null ? null : Json.SERVICES.read(payload, type);
        } catch (IOException otherShape) {
            return null;
        }
    }

    /** The last header of that name as text. */
    @Nullable
    String header(String name) {
        @Nullable Header header = kafka.headers().lastHeader(name);
        return header == null || header.value() == null ? null : new String(header.value(), UTF_8);
    }

    /** Where the record is: unique in its cluster. */
    String position() {
        return topic() + "/" + partition() + "@" + offset();
    }
}
