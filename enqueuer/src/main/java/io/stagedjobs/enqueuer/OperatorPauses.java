package io.stagedjobs.enqueuer;

import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** The operator's pauses, as of the last heartbeat. Thread-safe. */
final class OperatorPauses {

    private static final Refusal PAUSED =
            new Refusal(Refusal.Reason.TOPIC_PAUSED, "an operator paused the topic; `staged-jobs resume` ends that");

    private volatile Set<String> topics = Set.of();

    void set(Set<String> topics) {
        this.topics = Set.copyOf(topics);
    }

    /** Whether everything is paused. */
    boolean everything() {
        return topics.contains(Membership.ALL_TOPICS);
    }

    /** The paused topics, each with the refusal for its jobs. */
    Map<String, Refusal> refusals() {
        return topics.stream().collect(Collectors.toUnmodifiableMap(topic -> topic, topic -> PAUSED));
    }
}
