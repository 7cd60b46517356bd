package io.stagedjobs.enqueuer;

import java.util.List;
import java.util.UUID;

/**
 * What Kafka last committed for a lane, as far as Kafka itself can tell.
 *
 * @param jobs the jobs of that batch, empty if Kafka keeps no progress (delivery mode at-least-once)
 */
public record Progress(List<JobRef> jobs) {

    /** Nothing is known to be published that is not deleted already. */
    public static final Progress NONE = new Progress(List.of());

    /** A job by its position and its identity; both must match before a row may go. */
    public record JobRef(long id, UUID jobId) {}
}
