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

/** Classifies Kafka's errors: a refused topic, a refused job, or any other error, after which the lane retries. */
final class KafkaErrors {

    static final Refusal FORBIDDEN =
            new Refusal(Reason.TOPIC_FORBIDDEN, "the enqueuer may not write to the topic; grant it DESCRIBE and WRITE");

    private KafkaErrors() {}

    /** The refusal of a topic that exists but cannot be written to until its brokers recover. */
    static Refusal unavailable(String why) {
        return new Refusal(
                Reason.TOPIC_UNAVAILABLE, "the topic cannot be written to now: " + why + "; see after its brokers");
    }

    /** Why a whole topic takes no jobs now; empty if the error is of another kind. */
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
     * Why Kafka refuses one job; empty if the error is not about one job.
     *
     * @param wentAlone whether no other job was sent with it, so that an error for all of them is about this job
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
     * @throws IllegalArgumentException if it refuses a property, with the message of the first cause, since the outer
     *     ones only say that something failed. The message may repeat values, see {@link KafkaClientSettings#refused}
     */
    static <T> T configured(Supplier<T> client) {
        try {
            return client.get();
        } catch (KafkaException e) {
            throw new IllegalArgumentException(oneLine(firstCause(e)), e);
        }
    }

    private static Throwable firstCause(Throwable error) {
        Throwable first = error;
        while (first.getCause() != null) {
            first = first.getCause();
        }
        return first;
    }

    /** Whether it is a timeout: the client's own, or ours while we waited for it. */
    static boolean isTimeout(Throwable cause) {
        return cause instanceof TimeoutException || cause instanceof java.util.concurrent.TimeoutException;
    }

    /** The error in one line; for a timeout, the time waited. */
    static String words(Duration timeout, Throwable cause) {
        return isTimeout(cause) ? "no answer within " + timeout.toMillis() + " ms" : oneLine(cause);
    }

    /** The error's class and message, without line breaks. */
    static String oneLine(Throwable error) {
        return (error.getClass().getSimpleName() + ": " + error.getMessage() + behind(error))
                .replaceAll("\\s*\\R\\s*", " ");
    }

    /** The cause of an error whose own message does not name it. */
    private static String behind(Throwable error) {
        Throwable cause = error.getCause();
        if (cause == null) {
            return "";
        }
        if (error instanceof SslAuthenticationException) {
            // Its message is "SSL handshake failed", whatever is wrong with the certificate.
            Throwable first = firstCause(cause);
            return ": " + first.getClass().getSimpleName() + ": " + first.getMessage();
        }
        return String.valueOf(error.getMessage()).startsWith("Failed to construct") ? ": " + cause.getMessage() : "";
    }
}
