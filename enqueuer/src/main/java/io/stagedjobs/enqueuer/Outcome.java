package io.stagedjobs.enqueuer;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What became of a batch.
 *
 * @param published the jobs that Kafka acknowledged, in id order: these rows may go, all others stay
 * @param refused topic by topic, why Kafka does not take its jobs now; other topics are not concerned
 * @param failure why the batch could not be finished, null if it was; the session is then not used again
 */
public record Outcome(
        List<Job> published,
        Map<String, Refusal> refused,
        @Nullable String failure) {

    /**
     * Why a topic's jobs stay where they are.
     *
     * @param reason one line for a person
     * @param ofOneJob true if a single job is to blame (too large, for instance) and not the topic as a whole
     */
    public record Refusal(String reason, boolean ofOneJob) {}

    public static Outcome failed(String failure) {
        return new Outcome(List.of(), Map.of(), failure);
    }
}
