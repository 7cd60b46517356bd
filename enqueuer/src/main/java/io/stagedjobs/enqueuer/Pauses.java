package io.stagedjobs.enqueuer;

import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** What an operator has paused, as the last heartbeat saw it. Safe for use by many threads. */
final class Pauses {

    private static final Refusal PAUSED =
            new Refusal(Refusal.Reason.TOPIC_PAUSED, "an operator paused the topic; `staged-jobs resume` ends that");

    private volatile Set<String> topics = Set.of();

    void set(Set<String> topics) {
        this.topics = Set.copyOf(topics);
    }

    /** Whether nothing at all is to be published now. */
    boolean everything() {
        return topics.contains(Membership.ALL_TOPICS);
    }

    /** The paused topics, each with the reason for its jobs. */
    Map<String, Refusal> refusals() {
        return topics.stream().collect(Collectors.toUnmodifiableMap(topic -> topic, topic -> PAUSED));
    }
}
