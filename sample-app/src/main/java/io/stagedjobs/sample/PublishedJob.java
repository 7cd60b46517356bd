package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/**
 * A job as a reader of Kafka sees it. Whoever can write to the topic decides what is in it: anything may be missing.
 *
 * @param type the header {@code ce_type}: the job's name
 * @param id the header {@code ce_id}: the job's identity
 * @param actionId the number {@code actionId} in the JSON payload
 * @param lag from staging (the header {@code ce_time}) to the record's own time in Kafka
 */
record PublishedJob(
        String topic,
        int partition,
        long offset,
        @Nullable String key,
        @Nullable String type,
        @Nullable String id,
        @Nullable Long actionId,
        @Nullable Duration lag) {

    private static final ObjectMapper JSON = new ObjectMapper();

    static PublishedJob of(ConsumerRecord<@Nullable String, byte @Nullable []> kafka) {
        return new PublishedJob(
                kafka.topic(),
                kafka.partition(),
                kafka.offset(),
                kafka.key(),
                header(kafka, "ce_type"),
                header(kafka, "ce_id"),
                actionId(kafka.value()),
                lag(kafka));
    }

    /** Where the record is: unique in its cluster. */
    String position() {
        return topic + "/" + partition + "@" + offset;
    }

    private static @Nullable String header(ConsumerRecord<?, ?> kafka, String name) {
        @Nullable Header header = kafka.headers().lastHeader(name);
        return header == null || header.value() == null ? null : new String(header.value(), UTF_8);
    }

    private static @Nullable Long actionId(byte @Nullable [] payload) {
        if (payload == null) {
            return null;
        }
        try {
            @Nullable JsonNode json = JSON.readTree(payload);
            JsonNode id = json == null ? JSON.missingNode() : json.path("actionId");
            return id.canConvertToLong() && id.isIntegralNumber() ? id.longValue() : null;
        } catch (IOException notJson) {
            return null;
        }
    }

    private static @Nullable Duration lag(ConsumerRecord<?, ?> kafka) {
        @Nullable String stagedAt = header(kafka, "ce_time");
        try {
            return stagedAt == null
                    ? null
                    : Duration.between(Instant.parse(stagedAt), Instant.ofEpochMilli(kafka.timestamp()));
        } catch (DateTimeParseException noTime) {
            return null;
        }
    }
}
