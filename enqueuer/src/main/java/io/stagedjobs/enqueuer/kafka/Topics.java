package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Outcome.Refusal;
import io.stagedjobs.enqueuer.OutsideException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.jspecify.annotations.Nullable;

/**
 * Which topics exist and may be written. Asked before the first record of a batch is sent, because the producer itself
 * would wait {@code max.block.ms} for a missing topic, and would let a broker create it with its defaults.
 */
final class Topics {

    private final Admin admin;
    private final Duration timeout;
    private final Set<String> known = ConcurrentHashMap.newKeySet();

    /** Asks with {@code admin}, which stays the caller's to close. */
    Topics(Admin admin, Duration timeout) {
        this.admin = admin;
        this.timeout = timeout;
    }

    /**
     * Which of the jobs' topics cannot be written to now, and why; empty if all can.
     *
     * @throws OutsideException if the cluster does not answer
     */
    Map<String, Refusal> refused(List<Job> jobs) {
        return refused(jobs.stream().map(Job::topic).collect(Collectors.toSet()));
    }

    /** As {@link #refused(List)}, by the topics' names. */
    Map<String, Refusal> refused(Set<String> topics) {
        Set<String> unknown =
                topics.stream().filter(topic -> !known.contains(topic)).collect(Collectors.toSet());
        Map<String, Refusal> refused = new HashMap<>();
        if (!unknown.isEmpty()) {
            admin.describeTopics(unknown).topicNameValues().forEach((topic, description) -> {
                String reason = reasonToRefuse(topic, description);
                if (reason == null) {
                    known.add(topic);
                } else {
                    refused.put(topic, new Refusal(reason, false));
                }
            });
        }
        return refused;
    }

    /** The jobs of other topics than those, in their order. */
    static List<Job> without(Set<String> topics, List<Job> jobs) {
        return topics.isEmpty()
                ? jobs
                : jobs.stream().filter(job -> !topics.contains(job.topic())).toList();
    }

    /** Asks again before the next batch: after any failure a topic may be gone. */
    void forget() {
        known.clear();
    }

    private @Nullable String reasonToRefuse(String topic, KafkaFuture<TopicDescription> description) {
        try {
            description.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
            return null;
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            if (cause instanceof UnknownTopicOrPartitionException) {
                return "the topic does not exist; create it";
            }
            if (cause instanceof TopicAuthorizationException) {
                return "the enqueuer may not describe the topic; grant it DESCRIBE and WRITE";
            }
            if (cause instanceof InvalidTopicException) {
                return "Kafka does not take its name: " + cause.getMessage();
            }
            throw unavailable(topic, cause == null ? e : cause);
        } catch (TimeoutException e) {
            throw unavailable(topic, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw unavailable(topic, e);
        }
    }

    private OutsideException unavailable(String topic, Throwable cause) {
        return new OutsideException(
                OutsideException.Side.KAFKA,
                "Kafka could not describe topic " + topic + " (" + KafkaErrors.words(timeout, cause) + ")",
                cause);
    }
}
