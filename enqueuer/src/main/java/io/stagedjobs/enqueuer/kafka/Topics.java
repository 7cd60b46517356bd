package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Refusal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.errors.AuthorizationException;
import org.jspecify.annotations.Nullable;

/**
 * Knows which topics exist and may be written to, and what they accept. A batch asks this before it sends its first
 * record, because the producer itself would wait {@code max.block.ms} for a missing topic, and would let a broker
 * create it with its defaults.
 *
 * <p>One request asks about many topics, and each topic has its own answer: if one fails or comes late, the jobs of
 * other topics do not wait. A late answer serves the next question. Knowledge stays valid until a batch with that topic
 * fails. Thread-safe.
 */
final class Topics {

    /**
     * The most partitions that one batch writes to, and the most topics in one request. Each partition costs a
     * transaction a record and a marker, and each topic that is new to a producer costs a question of the producer.
     */
    private static final int PARTITIONS_MAX = 200;

    /**
     * If a question has no answer for this many look-ups, its connection is dead. A slow answer about many topics gets
     * this time, because a new connection would cancel the question.
     */
    private static final int SILENCE_LOOK_UPS = 2;

    /** A question that was sent, with its two answers. */
    private record Question(
            long askedAt,
            @Nullable KafkaFuture<TopicDescription> description,
            @Nullable KafkaFuture<Config> config) {

        long age() {
            return System.nanoTime() - askedAt;
        }

        /** Whether no further answer can come. */
        boolean failed() {
            return description == null
                    || config == null
                    || description.isCompletedExceptionally()
                    || config.isCompletedExceptionally();
        }
    }

    private final Cluster cluster;
    private final int requestBytesMax;
    private final Duration askMax;
    private final int partitionsMax;
    private final Map<String, TopicLimits> known = new ConcurrentHashMap<>();

    /** Questions without an answer in time; lanes wait for the same answers. */
    private final Map<String, Question> open = new ConcurrentHashMap<>();

    Topics(Cluster cluster, KafkaClientSettings settings) {
        this(cluster, settings, PARTITIONS_MAX);
    }

    /** @param partitionsMax instead of {@link #PARTITIONS_MAX} */
    Topics(Cluster cluster, KafkaClientSettings settings, int partitionsMax) {
        this.partitionsMax = partitionsMax;
        this.cluster = cluster;
        this.requestBytesMax = settings.recordBytesMax();
        this.askMax = settings.askMax();
    }

    /** The state of the topics of some jobs. */
    final class Found {

        /** The topics that cannot be written to now, and why. */
        final Map<String, Refusal> refused = new HashMap<>();

        private final List<Job> jobs;
        private final Map<String, TopicLimits> limits = new HashMap<>();

        private Found(List<Job> jobs) {
            this.jobs = jobs;
        }

        /**
         * The first of the jobs, in their order, that may share a transaction; without those of refused or still
         * unknown topics. A job that its topic might refuse goes alone, so that a refusal affects no other job and no
         * later job of its key has been sent.
         */
        List<Job> together() {
            List<Job> together = new ArrayList<>(jobs.size());
            Map<String, Set<String>> keysOf = new HashMap<>();
            int partitions = 0;
            for (Job job : jobs) {
                TopicLimits limit = limits.get(job.topic());
                if (limit == null) {
                    continue;
                }
                Set<String> keys = keysOf.computeIfAbsent(job.topic(), topic -> new HashSet<>());
                if (keys.size() < limit.partitions() && keys.add(String.valueOf(job.key()))) {
                    partitions++;
                }
                if (partitions > partitionsMax) {
                    break;
                }
                if (limit.mightRefuse(job, requestBytesMax)) {
                    return together.isEmpty() ? List.of(job) : together;
                }
                together.add(job);
            }
            return together;
        }
    }

    /**
     * Looks up the topics of a batch's first jobs, at most as many as may share a transaction.
     *
     * @throws ExternalFailureException if the cluster answers for none of them in time
     */
    Found find(List<Job> jobs) {
        Set<String> topics = new LinkedHashSet<>();
        int first = 0;
        while (first < jobs.size()
                && (topics.size() < partitionsMax
                        || topics.contains(jobs.get(first).topic()))) {
            topics.add(jobs.get(first++).topic());
        }
        Found found = new Found(jobs.subList(0, first));
        ExternalFailureException unanswered = find(topics, found);
        if (unanswered != null && found.limits.isEmpty() && found.refused.isEmpty()) {
            throw unanswered;
        }
        return found;
    }

    /**
     * The topics that cannot be written to now, and why; includes topics that are still unknown.
     *
     * @throws ExternalFailureException if the cluster does not answer in time
     */
    Map<String, Refusal> refused(Set<String> topics) {
        Map<String, Refusal> refused = new HashMap<>();
        List<String> names = List.copyOf(topics);
        for (int i = 0; i < names.size(); i += partitionsMax) {
            Set<String> some = Set.copyOf(names.subList(i, Math.min(i + partitionsMax, names.size())));
            Found found = new Found(List.of());
            ExternalFailureException unanswered = find(some, found);
            if (unanswered != null) {
                if (found.limits.isEmpty() && found.refused.isEmpty()) {
                    throw unanswered;
                }
                Refusal unknown = KafkaErrors.unavailable(String.valueOf(unanswered.getMessage()));
                some.stream()
                        .filter(topic -> !found.limits.containsKey(topic))
                        .forEach(topic -> refused.put(topic, unknown));
            }
            refused.putAll(found.refused);
        }
        return refused;
    }

    /** Asks anew about the topics of these jobs: after any failure one of them may be gone, or have no leader. */
    void forget(Collection<Job> jobs) {
        for (Job job : jobs) {
            known.remove(job.topic());
            open.remove(job.topic());
        }
    }

    /** @return the failure of a topic without an answer; null if each has one */
    private @Nullable ExternalFailureException find(Set<String> topics, Found found) {
        Set<String> unknown = new HashSet<>();
        for (String topic : topics) {
            TopicLimits limits = known.get(topic);
            if (limits == null) {
                unknown.add(topic);
            } else {
                found.limits.put(topic, limits);
            }
        }
        ExternalFailureException unanswered = null;
        boolean connectionAtFault = false;
        long deadline = cluster.lookUpDeadline();
        for (Map.Entry<String, Question> asked : ask(unknown).entrySet()) {
            String topic = asked.getKey();
            try {
                TopicLimits limits = limits(topic, asked.getValue(), deadline);
                found.limits.put(topic, limits);
                known.put(topic, limits);
                open.remove(topic, asked.getValue());
            } catch (RefusedException e) {
                found.refused.put(topic, e.refusal);
                open.remove(topic, asked.getValue());
            } catch (ExternalFailureException e) {
                unanswered = e;
                if (asked.getValue().failed()) {
                    open.remove(topic, asked.getValue());
                    connectionAtFault = true; // if the error is of that kind
                } else if (asked.getValue().age() > SILENCE_LOOK_UPS * cluster.lookUpMaxNanos()) {
                    connectionAtFault = true;
                }
            }
        }
        if (unanswered != null && found.limits.isEmpty() && found.refused.isEmpty() && connectionAtFault) {
            cluster.notAnswered(unanswered);
        }
        return unanswered;
    }

    /** Sends one question for all topics without one under way. */
    private Map<String, Question> ask(Set<String> topics) {
        Map<String, Question> questions = new HashMap<>();
        Set<String> toAsk = new HashSet<>();
        for (String topic : topics) {
            Question asked = open.get(topic);
            if (asked == null || asked.age() > askMax.toNanos()) {
                toAsk.add(topic);
            } else {
                questions.put(topic, asked);
            }
        }
        if (!toAsk.isEmpty()) {
            long now = System.nanoTime();
            Map<String, KafkaFuture<TopicDescription>> descriptions = cluster.describe(toAsk);
            Map<String, KafkaFuture<Config>> configs = cluster.configurations(toAsk);
            for (String topic : toAsk) {
                Question question = new Question(now, descriptions.get(topic), configs.get(topic));
                questions.put(topic, question);
                open.put(topic, question);
            }
        }
        return questions;
    }

    /** A topic takes no jobs now. */
    private static final class RefusedException extends Exception {
        final Refusal refusal;

        RefusedException(Refusal refusal) {
            super(refusal.detail());
            this.refusal = refusal;
        }
    }

    private TopicLimits limits(String topic, Question asked, long deadline) throws RefusedException {
        TopicDescription description;
        try {
            description = cluster.await("describe topic " + topic, asked.description, deadline);
        } catch (ExternalFailureException e) {
            Refusal refusal = KafkaErrors.refusalOfTopic(e.getCause() == null ? e : e.getCause())
                    .orElseThrow(() -> e);
            throw new RefusedException(refusal);
        }
        Set<AclOperation> allowed = description.authorizedOperations();
        if (allowed != null && !allowed.contains(AclOperation.WRITE)) {
            throw new RefusedException(KafkaErrors.FORBIDDEN);
        }
        TopicLimits limits = limits(description, asked.config, deadline);
        Optional<String> unavailable = limits.unavailable(description);
        if (unavailable.isPresent()) {
            throw new RefusedException(KafkaErrors.unavailable(unavailable.get()));
        }
        return limits;
    }

    /** If we may not read the configuration, we assume Kafka's defaults; the broker decides whether it takes a job. */
    private TopicLimits limits(TopicDescription topic, @Nullable KafkaFuture<Config> config, long deadline) {
        try {
            return TopicLimits.of(
                    topic, cluster.await("describe the configuration of topic " + topic.name(), config, deadline));
        } catch (ExternalFailureException e) {
            if (e.getCause() instanceof AuthorizationException) {
                return TopicLimits.unknown(topic);
            }
            throw e;
        }
    }
}
