package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.enqueuer.diagnosis.Finding;
import java.time.Duration;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.errors.AuthorizationException;
import org.jspecify.annotations.Nullable;

/** Questions of a person, who waits for each answer no longer than a few seconds. */
record KafkaQuestions(Admin admin) {

    private static final Duration ANSWER_MAX = Duration.ofSeconds(5);

    /** @throws ExternalFailureException with Kafka's error as its cause */
    <T> T answer(String what, @Nullable KafkaFuture<T> future) {
        return answer(what, future, deadline());
    }

    /** Until when, of {@link System#nanoTime}, somebody who asks now waits: for one answer or for many. */
    static long deadline() {
        return System.nanoTime() + ANSWER_MAX.toNanos();
    }

    /** As {@link #answer(String, KafkaFuture)}, of one of many questions that were asked together. */
    <T> T answer(String what, @Nullable KafkaFuture<T> future, long deadline) {
        return Cluster.await(what, future, deadline, KafkaQuestions::failure);
    }

    private static ExternalFailureException failure(String what, Throwable cause) {
        return new ExternalFailureException(
                Origin.KAFKA, "Kafka could not " + what + ": " + KafkaErrors.words(ANSWER_MAX, cause), cause);
    }

    static boolean isForbidden(ExternalFailureException e) {
        return e.getCause() instanceof AuthorizationException;
    }

    static Finding notLooked(String check, ExternalFailureException e) {
        return Finding.notLooked(
                check,
                String.valueOf(e.getMessage()),
                isForbidden(e) ? "Grant what contract.md lists under \"Rights in the cluster\"" : "");
    }
}
