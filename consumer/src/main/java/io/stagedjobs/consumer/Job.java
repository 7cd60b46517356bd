package io.stagedjobs.consumer;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.JsonCodec;
import io.stagedjobs.UnreadablePayloadException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/**
 * A job that was read from Kafka. Immutable, except for the payload's array, which is neither copied nor changed.
 *
 * @param id the identity that staging gave it; the same whenever the job comes again
 * @param name the job's name, {@code ce_type}
 * @param payload null for a tombstone
 * @param headers the job's own headers, in their order; of equal names the last one. Those of CloudEvents are not among
 *     them
 * @param stagedAt when it was staged, by the database's clock; null if the record does not say it
 */
public record Job<T extends @Nullable Object>(
        UUID id,
        String topic,
        int partition,
        long offset,
        @Nullable String key,
        String name,
        T payload,
        Map<String, String> headers,
        @Nullable Instant stagedAt) {

    private static final String ID = "ce_id";
    private static final String NAME = "ce_type";
    private static final String STAGED_AT = "ce_time";
    private static final String CLOUD_EVENTS = "ce_";

    /**
     * The job of a record.
     *
     * @param record with a key of type {@code byte[]} or {@code String}, and a value of type {@code byte[]}
     * @throws NotAJobException if its headers are not those of a job
     */
    public static Job<byte @Nullable []> from(ConsumerRecord<? extends @Nullable Object, byte @Nullable []> record) {
        UUID id;
        try {
            id = UUID.fromString(required(record, ID));
        } catch (IllegalArgumentException e) {
            throw new NotAJobException(record, "its header " + ID + " is no UUID");
        }
        Map<String, String> headers = new LinkedHashMap<>();
        for (Header header : record.headers()) {
            if (!header.key().startsWith(CLOUD_EVENTS) && header.value() != null) {
                headers.put(header.key(), new String(header.value(), UTF_8));
            }
        }
        return new Job<>(
                id,
                record.topic(),
                record.partition(),
                record.offset(),
                key(record),
                required(record, NAME),
                record.value(),
                Collections.unmodifiableMap(headers),
                stagedAt(record));
    }

    private static @Nullable String key(ConsumerRecord<? extends @Nullable Object, ?> record) {
        Object key = record.key();
        if (key == null) {
            return null;
        }
        return key instanceof byte[] bytes ? new String(bytes, UTF_8) : key.toString();
    }

    private static @Nullable Instant stagedAt(ConsumerRecord<?, ?> record) {
        String text = text(record, STAGED_AT);
        try {
            return text == null ? null : Instant.parse(text);
        } catch (DateTimeException e) {
            throw new NotAJobException(record, "its header " + STAGED_AT + " is no time of RFC 3339 in UTC");
        }
    }

    /** The name of the job of a record; null if the record has none. */
    static @Nullable String name(ConsumerRecord<?, ?> record) {
        return text(record, NAME);
    }

    private static String required(ConsumerRecord<?, ?> record, String name) {
        String text = text(record, name);
        if (text == null) {
            throw new NotAJobException(record, "it has no header " + name);
        }
        return text;
    }

    private static @Nullable String text(ConsumerRecord<?, ?> record, String name) {
        Header header = record.headers().lastHeader(name);
        return header == null || header.value() == null ? null : new String(header.value(), UTF_8);
    }

    /** The value of one of the job's own headers. */
    public Optional<String> header(String header) {
        return Optional.ofNullable(headers.get(header));
    }

    /**
     * The same job with its JSON payload as an object, by {@link JsonCodec#installed()}.
     *
     * @throws UnreadablePayloadException if it is a tombstone, or no such JSON
     * @throws IllegalStateException if the payload has been read already, or there is no codec
     */
    public <R> Job<R> as(Class<R> type) {
        return as(type, JsonCodec.installed());
    }

    /** As {@link #as(Class)}, by that codec. */
    public <R> Job<R> as(Class<R> type, JsonCodec codec) {
        if (payload == null) {
            throw new UnreadablePayloadException(
                    "cannot read the payload of job " + id + " as " + type.getName() + ": it is a tombstone");
        }
        if (!(payload instanceof byte[] json)) {
            throw new IllegalStateException("the payload of job " + id + " is a "
                    + payload.getClass().getName() + " already, and not its bytes");
        }
        R object = codec.fromBytes(json, type);
        return new Job<>(id, topic, partition, offset, key, name, object, headers, stagedAt);
    }

    /** Without key, headers and payload, which may be personal: this may go to logs. */
    @Override
    public String toString() {
        return "job " + id + " \"" + name + "\" (" + topic + "-" + partition + "@" + offset + ")";
    }
}
