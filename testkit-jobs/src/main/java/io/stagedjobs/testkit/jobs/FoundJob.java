package io.stagedjobs.testkit.jobs;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.StagedJob;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A job that a test found in the tables.
 *
 * @param job the staged job, with the headers of its trace
 * @param reason why it was moved aside, null if it was not
 * @param error Kafka's error, if that is the reason
 */
public record FoundJob(
        StagedJob job,
        State state,
        @Nullable String reason,
        @Nullable String error) {

    private static final int PAYLOAD_SHOWN_MAX = 200;

    /** Where a job is; docs/contract.md describes the states. */
    public enum State {
        /** It waits in {@code staged_jobs}. */
        STAGED,
        /** It was moved aside, and returns by itself. */
        HELD,
        /** It was moved aside, and waits for a person. */
        PARKED
    }

    /** The job in one line, with its payload's first characters. */
    @Override
    public String toString() {
        StringBuilder line = new StringBuilder("\"" + job.name() + "\" of topic " + job.topic());
        line.append(job.key() == null ? ", no key" : ", key \"" + job.key() + "\"");
        line.append(", ").append(payload(job.payload()));
        if (!job.headers().isEmpty()) {
            line.append(", headers ").append(job.headers());
        }
        if (state != State.STAGED) {
            line.append(" (" + state.toString().toLowerCase(Locale.ROOT) + ": " + reason);
            line.append(error == null ? ")" : ": " + error + ")");
        }
        return line.toString();
    }

    private static String payload(byte @Nullable [] bytes) {
        if (bytes == null) {
            return "no payload";
        }
        try {
            String text = UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
            return "payload "
                    + (text.length() <= PAYLOAD_SHOWN_MAX
                            ? text
                            : text.substring(0, PAYLOAD_SHOWN_MAX) + "… (" + bytes.length + " bytes)");
        } catch (CharacterCodingException e) {
            return "payload of " + bytes.length + " bytes that are no text";
        }
    }
}
