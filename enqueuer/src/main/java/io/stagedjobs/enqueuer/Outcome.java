package io.stagedjobs.enqueuer;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What became of a batch. Jobs that appear nowhere here were not published and are free to try again.
 *
 * @param published the jobs that Kafka acknowledged, in id order
 * @param refusedTopics topic by topic, why Kafka takes none of its jobs now
 * @param refusedJobs by id, why Kafka does not take that one job; it was not published
 * @param failure why the batch could not be finished, null if it was; the session is then not used again
 */
public record Outcome(
        List<Job> published,
        Map<String, Refusal> refusedTopics,
        Map<Long, Refusal> refusedJobs,
        @Nullable String failure) {

    public static Outcome failed(String failure) {
        return new Outcome(List.of(), Map.of(), Map.of(), failure);
    }

    /** Nothing was tried, since these topics take nothing. */
    public static Outcome refused(Map<String, Refusal> topics) {
        return new Outcome(List.of(), topics, Map.of(), null);
    }
}
