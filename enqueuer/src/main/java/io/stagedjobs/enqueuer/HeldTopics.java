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

    /**
     * What is held at one moment.
     *
     * @param topics to leave out of a batch that is read now
     */
    record View(Set<String> topics, long atNanos) {}

    View now() {
        long now = nanoTime.getAsLong();
        return new View(
                holds.entrySet().stream()
                        .filter(hold -> hold.getValue().untilNanos - now > 0)
                        .map(Map.Entry::getKey)
                        .collect(Collectors.toUnmodifiableSet()),
                now);
    }

    /** Every topic that was refused and has not been published to since, with the reason. */
    Map<String, String> reasons() {
        return holds.entrySet().stream()
                .collect(Collectors.toUnmodifiableMap(Map.Entry::getKey, hold -> hold.getValue().reason));
    }

    /**
     * Holds what the outcome refused, and frees the topics it published to as a new try.
     *
     * @param before what was held when the batch was read: a batch that was read before the hold began says nothing
     */
    void learn(Outcome outcome, View before) {
        if (!holds.isEmpty()) {
            outcome.published().stream()
                    .map(Job::topic)
                    .distinct()
                    .filter(topic -> !outcome.refused().containsKey(topic))
                    .forEach(topic -> release(topic, before));
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

    private void release(String topic, View before) {
        Hold hold = holds.get(topic);
        if (hold != null && hold.untilNanos - before.atNanos <= 0 && holds.remove(topic, hold)) {
            log.info("topic {} takes jobs again", topic);
        }
    }
}
