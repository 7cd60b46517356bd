package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/** A job as a reader of Kafka sees it. Other writers to the topic may write anything: any part may be missing. */
public record PublishedJob(ConsumerRecord<@Nullable String, byte @Nullable []> kafka) {

    private static final int SHOWN_MAX = 200;

    public @Nullable String key() {
        return kafka.key();
    }

    /** The header {@code ce_type}: the job's name. */
    public @Nullable String type() {
        return header("ce_type");
    }

    /** The header {@code ce_id}: the job's identity. */
    public @Nullable String id() {
        return header("ce_id");
    }

    /** The header {@code ce_time}: when the job was staged, by the database's clock. */
    public @Nullable Instant stagedAt() {
        @Nullable String time = header("ce_time");
        try {
            return time == null ? null : Instant.parse(time);
        } catch (DateTimeParseException noTime) {
            return null;
        }
    }

    /** The payload, if it is JSON of this shape; without fields that the shape does not know. */
    public <T> @Nullable T payload(Class<T> type) {
        byte @Nullable [] payload = kafka.value();
        try {
            return payload == null ? null : Json.SERVICES.readValue(payload, type);
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

    /** The record's position, unique in its cluster. */
    public String position() {
        return kafka.topic() + "/" + kafka.partition() + "@" + kafka.offset();
    }

    /** One line for a person: topic, key, name, id, and how the payload begins. */
    public String line() {
        byte @Nullable [] payload = kafka.value();
        return "%s key=%s %s %s %s"
                .formatted(
                        kafka.topic(),
                        shown(key()),
                        shown(type()),
                        shown(id()),
                        shown(payload == null ? null : new String(payload, UTF_8)));
    }

    /** The text comes from anywhere: keeps it to one short line. */
    private static String shown(@Nullable String text) {
        if (text == null) {
            return "-";
        }
        String line = text.replaceAll("\\p{Cntrl}", "?");
        return line.length() <= SHOWN_MAX ? line : line.substring(0, SHOWN_MAX) + " ...";
    }
}
