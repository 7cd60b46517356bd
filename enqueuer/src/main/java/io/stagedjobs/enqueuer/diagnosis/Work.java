package io.stagedjobs.enqueuer.diagnosis;

import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The jobs that wait and the enqueuers that work, as far as the sentence needs them. No table is counted.
 *
 * @param lanes all of them, in order
 * @param moves whether the lanes' first jobs changed during the examination
 * @param enqueuers those that live, and those that ended without leaving
 * @param pauses what an operator has paused
 * @param aside one entry a topic and state, held ones first
 * @param writers transactions that wrote jobs and are still open, the oldest first
 */
public record Work(
        List<Lane> lanes,
        boolean moves,
        List<Enqueuer> enqueuers,
        List<Pause> pauses,
        List<Aside> aside,
        List<Writer> writers) {

    /**
     * A lane.
     *
     * @param owner id of the live enqueuer that owns it, null if none does
     * @param waits whether a job waits in it
     * @param oldestSeconds age of the first of its jobs, 0 if none waits
     */
    public record Lane(int lane, @Nullable String owner, boolean waits, double oldestSeconds) {}

    /** An enqueuer and the problems that it reports. */
    public record Enqueuer(String id, String name, boolean alive, double seenSecondsAgo, List<Problem> problems) {}

    /**
     * What does not work for an enqueuer.
     *
     * @param place {@code kafka}, {@code postgresql}, {@code enqueuer}, or a halted lane such as {@code lane 3}
     */
    public record Problem(String place, String reason, double lastingSeconds) {

        boolean ofHaltedLane() {
            return place.startsWith("lane ");
        }
    }

    /** @param topic {@code *} for everything */
    public record Pause(String topic, double seconds) {}

    /**
     * Jobs of one topic that were moved aside.
     *
     * @param held whether they return by themselves
     * @param error of one of them, empty if there is none
     */
    public record Aside(String topic, boolean held, String reason, String error) {}

    /**
     * An open transaction that wrote jobs.
     *
     * @param who pid, role and application, or the name of a prepared transaction
     * @param seconds since when it is open, null if this role may not know
     * @param end SQL that ends it
     */
    public record Writer(String who, @Nullable Double seconds, String end) {}

    boolean waits() {
        return lanes.stream().anyMatch(Lane::waits);
    }

    double oldestSeconds() {
        return lanes.stream().mapToDouble(Lane::oldestSeconds).max().orElse(0);
    }

    Stream<Enqueuer> living() {
        return enqueuers.stream().filter(Enqueuer::alive);
    }
}
