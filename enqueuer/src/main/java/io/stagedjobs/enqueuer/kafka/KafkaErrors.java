package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Refusal;
import io.stagedjobs.enqueuer.Refusal.Reason;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.PolicyViolationException;
import org.apache.kafka.common.errors.RecordBatchTooLargeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.SslAuthenticationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** What Kafka's errors mean for us: a topic refuses, a job is refused, or anything else, which is tried again. */
final class KafkaErrors {

    static final Refusal FORBIDDEN =
            new Refusal(Reason.TOPIC_FORBIDDEN, "the enqueuer may not write to the topic; grant it DESCRIBE and WRITE");

    private KafkaErrors() {}

    /** The refusal of a topic that exists and cannot be written to until its brokers are well again. */
    static Refusal unavailable(String why) {
        return new Refusal(
                Reason.TOPIC_UNAVAILABLE, "the topic cannot be written to now: " + why + "; see after its brokers");
    }

    /** Why a whole topic takes nothing now; empty if the error says nothing of the kind. */
    static Optional<Refusal> refusalOfTopic(Throwable error) {
        if (error instanceof UnknownTopicOrPartitionException) {
            return Optional.of(new Refusal(Reason.TOPIC_MISSING, "the topic does not exist; create it"));
        }
        if (error instanceof TopicAuthorizationException) {
            return Optional.of(FORBIDDEN);
        }
        if (error instanceof InvalidTopicException) {
            return Optional.of(
                    new Refusal(Reason.TOPIC_REFUSED, "Kafka does not take the topic's name: " + oneLine(error)));
        }
        return Optional.empty();
    }

    /**
     * Why one job is not taken; empty if the error says nothing about the job alone.
     *
     * @param wentAlone whether no other job was sent with it, so that what is said of all of them is said of it
     */
    static Optional<Refusal> refusalOfJob(Throwable error, Job job, boolean wentAlone) {
        if (error instanceof RecordTooLargeException || (error instanceof RecordBatchTooLargeException && wentAlone)) {
            return Optional.of(new Refusal(
                    Reason.TOO_LARGE,
                    "the job, with a payload of " + (job.payload() == null ? 0 : job.payload().length)
                            + " bytes, is too large for its topic or for the client (" + oneLine(error)
                            + "); raise the topic's max.message.bytes or segment.bytes, or the enqueuer's"
                            + " kafka.max.request.size, and requeue it, or discard it"));
        }
        if (error instanceof InvalidRecordException
                || error instanceof InvalidTimestampException
                || error instanceof PolicyViolationException) {
            return Optional.of(new Refusal(
                    Reason.REFUSED, "Kafka refuses the job (" + oneLine(error) + "); requeue or discard it"));
        }
        return Optional.empty();
    }

    /**
     * Makes a client.
     *
     * @throws IllegalArgumentException if it refuses a property, with the words of the first cause: those of the others
     *     only say that something failed. They may repeat values, see {@link KafkaClientSettings#refused}
     */
    static <T> T configured(Supplier<T> client) {
        try {
            return client.get();
        } catch (KafkaException e) {
            Throwable first = e;
            while (first.getCause() != null) {
                first = first.getCause();
            }
            throw new IllegalArgumentException(oneLine(first), e);
        }
    }

    /** Whether time ran out: a client's own time, or ours while we waited for it. */
    static boolean isTimeout(Throwable cause) {
        return cause instanceof TimeoutException || cause instanceof java.util.concurrent.TimeoutException;
    }

    /** What went wrong, in one line; a time-out by how long was waited. */
    static String words(Duration timeout, Throwable cause) {
        return isTimeout(cause) ? "no answer within " + timeout.toMillis() + " ms" : oneLine(cause);
    }

    /** The error's kind and words, without line breaks. */
    static String oneLine(Throwable error) {
        return (error.getClass().getSimpleName() + ": " + error.getMessage() + behind(error))
                .replaceAll("\\s*\\R\\s*", " ");
    }

    /** What a person needs to know of an error whose own words only say that something else went wrong. */
    private static String behind(Throwable error) {
        Throwable cause = error.getCause();
        if (cause == null) {
            return "";
        }
        if (error instanceof SslAuthenticationException) {
            // Its words are "SSL handshake failed", whatever is wrong with the certificate.
            Throwable first = cause;
            while (first.getCause() != null) {
                first = first.getCause();
            }
            return ": " + first.getClass().getSimpleName() + ": " + first.getMessage();
        }
        return String.valueOf(error.getMessage()).startsWith("Failed to construct") ? ": " + cause.getMessage() : "";
    }
}
