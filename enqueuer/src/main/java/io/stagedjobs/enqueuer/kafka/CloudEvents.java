package io.stagedjobs.enqueuer.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Refusal;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/**
 * Turns a job into a Kafka record: the Kafka binding of CloudEvents 1.0 in binary mode, then the job's own headers
 * unchanged. docs/contract.md lists the headers.
 */
final class CloudEvents {

    private static final JsonFactory JSON = new JsonFactory();
    private static final String CONTENT_TYPE = "content-type";
    private static final Header SPEC_VERSION = header("ce_specversion", "1.0");
    private static final Header CONTENT_TYPE_DEFAULT = header(CONTENT_TYPE, "application/json");

    /** The times that RFC 3339 can express; PostgreSQL calls them the years 1 to 9999. */
    private static final long SECOND_MIN = Instant.parse("0001-01-01T00:00:00Z").getEpochSecond();

    private static final long SECOND_MAX = Instant.parse("9999-12-31T23:59:59Z").getEpochSecond();

    private static final int NANOS_PER_SECOND = 1_000_000_000;

    /**
     * Jobs as records.
     *
     * @param refused by id, the first jobs, if they cannot become records; empty unless {@code jobs} is
     */
    record Records(List<Job> jobs, List<ProducerRecord<byte[], byte[]>> records, Map<Long, Refusal> refused) {}

    /** A row cannot become a record. The message says why, and shows no data of the row. */
    private static final class UnreadableException extends Exception {
        UnreadableException(String why) {
            super(why);
        }
    }

    private record TextHeader(String key, byte[] value) implements Header {}

    /** A second, with its text in ISO 8601. */
    private record Second(long epochSecond, String text) {
        static Second of(Instant at) {
            String whole = at.truncatedTo(ChronoUnit.SECONDS).toString();
            return new Second(at.getEpochSecond(), whole.substring(0, whole.length() - 1));
        }
    }

    /** More names than an application has; a further name only costs its encoding. */
    private static final int NAMES_MAX = 1_000;

    /** Several, because lanes are at different seconds, each for a while. */
    private static final int SECONDS_KEPT = 16;

    private final Header source;
    private final Map<String, Header> types = new ConcurrentHashMap<>();
    /** By second modulo the length; concurrent threads only write the same value again. */
    private final Second[] seconds = new Second[SECONDS_KEPT];

    /** Records whose {@code ce_source} is {@code source}. */
    CloudEvents(String source) {
        this.source = header("ce_source", source);
        Arrays.fill(seconds, Second.of(Instant.EPOCH));
    }

    /**
     * The first of the jobs as records, up to the first job that cannot become a record. If that is the very first, it
     * is refused, with the jobs of its kind directly after it: all earlier jobs of its lane are already published.
     */
    Records records(List<Job> jobs) {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>(jobs.size());
        Map<Long, Refusal> refused = new HashMap<>();
        for (Job job : jobs) {
            try {
                ProducerRecord<byte[], byte[]> record = record(job);
                if (!refused.isEmpty()) {
                    break;
                }
                records.add(record);
            } catch (UnreadableException e) {
                if (!records.isEmpty()) {
                    break;
                }
                refused.put(
                        job.id(),
                        new Refusal(
                                Refusal.Reason.REFUSED,
                                "the job cannot be a record in Kafka: " + e.getMessage() + "; discard it"));
            }
        }
        return new Records(jobs.subList(0, records.size()), records, refused);
    }

    private ProducerRecord<byte[], byte[]> record(Job job) throws UnreadableException {
        return new ProducerRecord<>(
                job.topic(),
                null,
                null,
                job.key() == null ? null : job.key().getBytes(UTF_8),
                job.payload(),
                headers(job));
    }

    private List<Header> headers(Job job) throws UnreadableException {
        List<Header> own = own(job.headersJson());
        List<Header> headers = new ArrayList<>(6 + own.size());
        headers.add(SPEC_VERSION);
        headers.add(header("ce_id", job.jobId().toString()));
        headers.add(source);
        headers.add(type(job.name()));
        headers.add(header("ce_time", time(job.stagedAt())));
        boolean ownContentType = false;
        for (Header header : own) {
            ownContentType |= header.key().equals(CONTENT_TYPE);
        }
        if (!ownContentType) {
            headers.add(CONTENT_TYPE_DEFAULT);
        }
        headers.addAll(own);
        return headers;
    }

    private Header type(String name) {
        Header known = types.get(name);
        if (known != null) {
            return known;
        }
        Header type = header("ce_type", name);
        if (types.size() < NAMES_MAX) {
            types.put(name, type);
        }
        return type;
    }

    /** As {@link Instant#toString}. The date is the costly part, and most jobs of a batch share their second. */
    String time(Instant at) throws UnreadableException {
        if (at.getEpochSecond() < SECOND_MIN || at.getEpochSecond() > SECOND_MAX) {
            throw new UnreadableException("the time at which it was staged is not between the years 1 and 9999");
        }
        int place = Math.floorMod(at.getEpochSecond(), SECONDS_KEPT);
        Second its = seconds[place];
        if (its.epochSecond != at.getEpochSecond()) {
            its = Second.of(at);
            seconds[place] = its;
        }
        int nano = at.getNano();
        if (nano == 0) {
            return its.text + 'Z';
        }
        int digits = nano % 1_000_000 == 0 ? 3 : nano % 1_000 == 0 ? 6 : 9;
        return its.text + '.' + Integer.toString(NANOS_PER_SECOND + nano).substring(1, 1 + digits) + 'Z';
    }

    /** The table accepts only objects of strings; a row that got past its rules affects only itself. */
    private static List<Header> own(@Nullable String json) throws UnreadableException {
        if (json == null) {
            return List.of();
        }
        List<Header> headers = new ArrayList<>();
        try (JsonParser parser = JSON.createParser(json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new UnreadableException("its headers are no JSON object");
            }
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                String value = parser.nextTextValue();
                if (value == null) {
                    throw new UnreadableException("its header " + (headers.size() + 1) + " is no text");
                }
                headers.add(header(name, value));
            }
            if (parser.nextToken() != null) {
                throw new UnreadableException("its headers are no valid JSON");
            }
        } catch (IOException e) {
            throw new UnreadableException(
                    "its headers are no valid JSON, or have a name of more than 50 000 characters");
        }
        return headers;
    }

    private static Header header(String name, String value) {
        return new TextHeader(name, value.getBytes(UTF_8));
    }
}
