package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Moved;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The result of publishing a batch. Jobs that do not appear here were not published and can be retried.
 *
 * @param published the jobs that Kafka acknowledged, in id order
 * @param refusedTopics by topic, why Kafka takes none of its jobs now
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

    /** Nothing was sent, since these topics take no jobs. */
    public static Outcome refused(Map<String, Refusal> topics) {
        return new Outcome(List.of(), topics, Map.of(), null);
    }

    /**
     * The jobs of the batch to move aside after this outcome: the refused ones, and later ones of their keys. All
     * others were published or can be retried.
     */
    List<Moved> toMoveAside(List<Job> jobs) {
        if (published.size() == jobs.size()) {
            return List.of();
        }
        Set<Long> acknowledged = published.stream().map(Job::id).collect(Collectors.toSet());
        Map<List<String>, Refusal> followers = new HashMap<>();
        List<Moved> moved = new ArrayList<>();
        for (Job job : jobs) {
            if (acknowledged.contains(job.id())) {
                continue;
            }
            Refusal ofTopic = refusedTopics.get(job.topic());
            Refusal own = refusedJobs.get(job.id());
            Refusal follows = job.key() == null ? null : followers.get(List.of(job.topic(), job.key()));
            if (ofTopic != null) {
                moved.add(new Moved(Row.of(job), ofTopic.reason().passes(), ofTopic));
            } else if (own != null) {
                moved.add(new Moved(Row.of(job), false, own));
                if (job.key() != null) {
                    followers.putIfAbsent(List.of(job.topic(), job.key()), Refusal.follows(job.id()));
                }
            } else if (follows != null) {
                moved.add(new Moved(Row.of(job), false, follows));
            }
        }
        return moved;
    }

    /** The jobs of the batch that stay in the lane: neither published nor moved aside. */
    List<Job> left(List<Job> jobs, List<Moved> moved) {
        if (published.size() + moved.size() == jobs.size()) {
            return List.of();
        }
        Set<Long> gone = published.stream().map(Job::id).collect(Collectors.toSet());
        moved.forEach(job -> gone.add(job.row().id()));
        return jobs.stream().filter(job -> !gone.contains(job.id())).toList();
    }
}
