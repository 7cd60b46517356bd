package io.stagedjobs;

import io.stagedjobs.internal.HeadersJson;
import io.stagedjobs.internal.Utf8;
import java.nio.charset.CharacterCodingException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * One job to stage. Immutable except for the payload array, which is neither copied nor changed: the caller must not
 * change it until the job is staged.
 *
 * <p>This class checks the rules that need no database, so that a bad job fails where it is made. The table checks the
 * size of the payload; the operator sets that limit.
 *
 * @param id the job's identity everywhere; becomes the CloudEvents id
 * @param topic Kafka topic: 1 to 249 of {@code A-Z a-z 0-9 . _ -}, not {@code .} or {@code ..}, not one of Kafka's
 *     internal ones, and not one whose name begins with {@code staged-jobs-progress-}
 * @param key ordering key and Kafka key, at most {@value #KEY_BYTES_MAX} bytes of UTF-8; null for a job without order
 * @param name what happened, 1 to {@value #NAME_LENGTH_MAX} characters, for example {@code user.created}; becomes the
 *     CloudEvents type
 * @param payload the record's value, byte for byte; null for a tombstone
 * @param headers the job's own headers, at most {@value #HEADERS_BYTES_MAX} bytes as JSON; no name has more than
 *     {@value #HEADER_NAME_BYTES_MAX} bytes or starts with {@code ce_}. A {@code content-type} here replaces the
 *     default {@code application/json}.
 */
public record StagedJob(
        UUID id,
        String topic,
        @Nullable String key,
        String name,
        byte @Nullable [] payload,
        Map<String, String> headers) {

    static final int NAME_LENGTH_MAX = 255;
    static final int KEY_BYTES_MAX = 4096;
    static final int HEADERS_BYTES_MAX = 100_000;
    static final int HEADER_NAME_BYTES_MAX = 255;

    private static final Pattern TOPIC = Pattern.compile("[A-Za-z0-9._-]{1,249}");
    private static final String RESERVED_PREFIX = "ce_";
    private static final String PROGRESS_PREFIX = "staged-jobs-progress-";
    private static final Set<String> INTERNAL_TOPICS =
            Set.of("__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata");

    /** Checks the rules above; throws JobRefusedException if one is broken. */
    public StagedJob {
        required("id", id);
        required("topic", topic);
        required("name", name);
        headers = Collections.unmodifiableMap(new LinkedHashMap<>(required("headers", headers)));
        if (!TOPIC.matcher(topic).matches() || topic.equals(".") || topic.equals("..")) {
            throw new JobRefusedException("cannot stage a job for topic " + quote(topic)
                    + ": Kafka takes 1 to 249 letters, digits, '.', '_' and '-', but not '.' or '..'");
        }
        if (topic.startsWith(PROGRESS_PREFIX) || INTERNAL_TOPICS.contains(topic)) {
            throw new JobRefusedException("cannot stage a job for topic " + quote(topic) + ": only "
                    + (topic.startsWith(PROGRESS_PREFIX) ? "the enqueuer" : "Kafka") + " itself writes to it");
        }
        checkText("name", name);
        if (name.isEmpty() || name.codePointCount(0, name.length()) > NAME_LENGTH_MAX) {
            throw new JobRefusedException("cannot stage a job with a name of " + name.length() + " characters: 1 to "
                    + NAME_LENGTH_MAX + " are allowed");
        }
        if (key != null && checkText("key", key) > KEY_BYTES_MAX) {
            throw new JobRefusedException("cannot stage job " + quote(name) + ": its key has " + checkText("key", key)
                    + " bytes, at most " + KEY_BYTES_MAX + " are allowed");
        }
        headers.forEach((header, value) -> {
            if (checkText("header name", header) > HEADER_NAME_BYTES_MAX) {
                throw new JobRefusedException("cannot stage a job whose header " + quote(header)
                        + " has a name of more than " + HEADER_NAME_BYTES_MAX + " bytes");
            }
            checkText("header " + quote(header), value);
            if (header.startsWith(RESERVED_PREFIX)) {
                throw new JobRefusedException("cannot stage a job with its own header " + quote(header)
                        + ": names that start with ce_ are written by the enqueuer (CloudEvents)");
            }
        });
    }

    /** Starts a job. By default it has a random id, no key, no headers and no payload. */
    public static Builder builder(String topic, String name) {
        return new Builder(topic, name);
    }

    /**
     * This job with {@code more} headers, or unchanged if it already has one of them: the headers of a trace belong
     * together.
     */
    StagedJob withHeaders(Map<String, String> more) {
        if (more.isEmpty() || more.keySet().stream().anyMatch(headers::containsKey)) {
            return this;
        }
        Builder copy = builder(topic, name).id(id).key(key).payload(payload);
        headers.forEach(copy::header);
        more.forEach(copy::header);
        return copy.build();
    }

    /** The headers as a JSON object, null if there are none. */
    @Nullable
    String headersJson() {
        return HeadersJson.of(headers);
    }

    private static <T> T required(String what, @Nullable T value) {
        if (value == null) {
            throw new JobRefusedException("cannot stage a job whose " + what + " is null");
        }
        return value;
    }

    /** Refuses text that PostgreSQL cannot store; returns the size in UTF-8. */
    private static int checkText(String what, String text) {
        if (required(what, text).indexOf('\0') >= 0) {
            throw new JobRefusedException("cannot stage a job whose " + what + " contains the character NUL (U+0000):"
                    + " PostgreSQL cannot store it");
        }
        return utf8(what, text).length;
    }

    private static byte[] utf8(String what, String text) {
        try {
            return Utf8.encode(text);
        } catch (CharacterCodingException e) {
            throw new JobRefusedException(
                    "cannot stage a job whose " + what
                            + " is not valid Unicode (it contains half of a surrogate pair): it has no UTF-8 form",
                    e);
        }
    }

    /** One line of limited length: names come from anywhere and end up in logs. */
    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder();
        HeadersJson.appendString(quoted, text.length() <= 100 ? text : text.substring(0, 100) + "…");
        return quoted.toString();
    }

    /** Collects a job's parts. Not thread-safe. */
    public static final class Builder {
        private final String topic;
        private final String name;
        private final Map<String, String> headers = new LinkedHashMap<>();
        private UUID id = UUID.randomUUID();
        private @Nullable String key;
        private byte @Nullable [] payload;

        private Builder(String topic, String name) {
            this.topic = topic;
            this.name = name;
        }

        /** Sets the id instead of a random one. */
        public Builder id(UUID id) {
            this.id = id;
            return this;
        }

        public Builder key(@Nullable String key) {
            this.key = key;
            return this;
        }

        /** Sets the payload's bytes; null makes the record a tombstone. */
        public Builder payload(byte @Nullable [] payload) {
            this.payload = payload;
            return this;
        }

        /**
         * Sets text, such as finished JSON, as the payload, in UTF-8.
         *
         * @throws JobRefusedException if it contains half of a surrogate pair, which has no UTF-8 form
         */
        public Builder payload(String text) {
            return payload(utf8("payload", required("payload text", text)));
        }

        /**
         * Sets an object as the payload, written by {@link JsonCodec#installed()}.
         *
         * @throws IllegalStateException if there is no codec
         */
        public Builder json(Object value) {
            return json(value, JsonCodec.installed());
        }

        /** Sets an object as the payload, written by the given codec. */
        public Builder json(Object value, JsonCodec codec) {
            return payload(codec.toBytes(required("JSON value", value)));
        }

        /** Adds one of the job's own headers; a name given twice keeps the last value. */
        public Builder header(String header, String value) {
            headers.put(header, value);
            return this;
        }

        /** @throws JobRefusedException if a rule of {@link StagedJob} is broken */
        @SuppressWarnings("NullAway") // NullAway does not see the nullness of a compact constructor's array parameter
        public StagedJob build() {
            return new StagedJob(id, topic, key, name, payload, headers);
        }
    }
}
