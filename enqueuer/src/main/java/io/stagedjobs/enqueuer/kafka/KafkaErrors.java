package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Outcome.Refusal;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.PolicyViolationException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicAuthorizationException;

/** What Kafka's errors mean for us: a topic refuses, a job is refused, or anything else, which is tried again. */
final class KafkaErrors {

    private KafkaErrors() {}

    /** Why the topic's jobs cannot be published now; empty if the error does not concern one topic alone. */
    static Optional<Refusal> refusal(Throwable error, long id) {
        if (error instanceof TopicAuthorizationException) {
            return Optional.of(new Refusal("the enqueuer may not write to the topic; grant it WRITE", false));
        }
        if (error instanceof InvalidTopicException) {
            return Optional.of(new Refusal("Kafka does not take its name: " + error.getMessage(), false));
        }
        if (error instanceof RecordTooLargeException) {
            return Optional.of(new Refusal(
                    "the job with id " + id + " is too large for it (" + oneLine(error)
                            + "); raise the topic's max.message.bytes or the enqueuer's kafka.max.request.size",
                    true));
        }
        if (error instanceof InvalidRecordException || error instanceof PolicyViolationException) {
            return Optional.of(new Refusal("the job with id " + id + " is refused (" + oneLine(error) + ")", true));
        }
        return Optional.empty();
    }

    /**
     * Makes a client.
     *
     * @throws IllegalArgumentException if it refuses a property, with the client's own words
     */
    static <T> T configured(Supplier<T> client) {
        try {
            return client.get();
        } catch (KafkaException e) {
            throw new IllegalArgumentException(oneLine(e.getCause() == null ? e : e.getCause()), e);
        }
    }

    /** What went wrong, in one line; a time-out by how long was waited. */
    static String words(Duration timeout, Throwable cause) {
        return cause instanceof TimeoutException || cause instanceof java.util.concurrent.TimeoutException
                ? "no answer within " + timeout.toMillis() + " ms"
                : oneLine(cause);
    }

    /** The error's kind and words, without line breaks. */
    static String oneLine(Throwable error) {
        return error.getClass().getSimpleName() + ": "
                + String.valueOf(error.getMessage()).replaceAll("\\s*\\R\\s*", " ");
    }
}
