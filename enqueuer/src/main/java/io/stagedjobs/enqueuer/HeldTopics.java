package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Topics whose jobs stay staged for now because Kafka does not take them: they are left out of the next batches, so that
 * other topics flow, and tried again after a while. Since a key belongs to one topic, leaving out the whole topic keeps
 * every key's order. Shared by all lanes of the process; forgotten when it ends.
 */
final class HeldTopics {

    /** A missing or forbidden topic is looked at again soon: a person may have just created it. */
    static final Duration RETRY_TOPIC = Duration.ofSeconds(5);

    /** Behind a job that a topic refuses the others would overtake it with every try, so there are few. */
    static final Duration RETRY_JOB = Duration.ofMinutes(1);

    private static final Logger log = LoggerFactory.getLogger(HeldTopics.class);

    private record Hold(String reason, long untilNanos) {}

    private final Map<String, Hold> holds = new ConcurrentHashMap<>();
    private final LongSupplier nanoTime;

    HeldTopics(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** The topics to leave out of a batch that is read now. */
    Set<String> now() {
        if (holds.isEmpty()) {
            return Set.of();
        }
        long now = nanoTime.getAsLong();
        return holds.entrySet().stream()
                .filter(hold -> hold.getValue().untilNanos - now > 0)
                .map(Map.Entry::getKey)
                .collect(Collectors.toUnmodifiableSet());
    }

    /** Every topic that was refused and has not been published to since, with the reason. */
    Map<String, String> reasons() {
        return holds.entrySet().stream()
                .collect(Collectors.toUnmodifiableMap(Map.Entry::getKey, hold -> hold.getValue().reason));
    }

    /** Holds what the outcome refused and frees the topics it published to. */
    void learn(Outcome outcome) {
        if (!holds.isEmpty()) {
            outcome.published().stream()
                    .map(Job::topic)
                    .distinct()
                    .filter(topic -> !outcome.refused().containsKey(topic))
                    .forEach(this::release);
        }
        outcome.refused().forEach(this::hold);
    }

    private void hold(String topic, Outcome.Refusal refusal) {
        Duration retry = refusal.ofOneJob() ? RETRY_JOB : RETRY_TOPIC;
        Hold hold = new Hold(refusal.reason(), nanoTime.getAsLong() + retry.toNanos());
        Hold before = holds.put(topic, hold);
        if (before == null || !before.reason.equals(hold.reason)) {
            log.warn(
                    "could not publish to topic {}: {}. Its jobs stay staged, none is lost; other topics flow. Next try in"
                            + " {} s.",
                    topic,
                    refusal.reason(),
                    retry.toSeconds());
        }
    }

    private void release(String topic) {
        if (holds.remove(topic) != null) {
            log.info("topic {} takes jobs again", topic);
        }
    }
}
