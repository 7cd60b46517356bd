package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.diagnosis.Work.Problem;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The backlog, the lanes and the enqueuers.
 *
 * @param at when, by the database's clock
 * @param schemaVersion the installed one
 * @param backlog the number of waiting jobs
 * @param exact whether they were counted; else this number and the age are estimates
 * @param oldestAgeSeconds the age of the oldest of them
 * @param topics of the jobs that wait, most jobs first
 * @param aside the jobs that were moved aside, most jobs first
 * @param asideExact whether these were counted
 * @param paused topics, {@code *} for everything
 */
public record Status(
        String at,
        int schemaVersion,
        long backlog,
        boolean exact,
        double oldestAgeSeconds,
        List<Topic> topics,
        List<Aside> aside,
        boolean asideExact,
        List<String> paused,
        List<Lane> lanes,
        List<Instance> enqueuers) {

    /** A topic and the number of its waiting jobs. */
    public record Topic(String topic, long backlog, boolean exact) {}

    /**
     * Jobs that were moved aside for the same reason.
     *
     * @param state {@code held} or {@code parked}
     * @param error one of their errors, empty if there is none
     */
    public record Aside(String topic, String state, String reason, String error, long jobs) {

        /** Whether they return by themselves. */
        public boolean held() {
            return state.equals("held");
        }
    }

    /**
     * A lane.
     *
     * @param owner the name of the live enqueuer that owns it, null if there is none
     * @param halted why its owner moves no job of it until a person has looked; null unless it is halted
     */
    public record Lane(
            int lane,
            @Nullable String owner,
            long generation,
            long backlog,
            boolean exact,
            double oldestAgeSeconds,
            @Nullable Problem halted) {}

    /**
     * An enqueuer; one that is not alive ended without leaving.
     *
     * @param lanes the number of lanes that it owns; 0 if it stands by
     * @param problems those of its last heartbeat
     */
    public record Instance(
            String id,
            String name,
            String delivery,
            double startedSecondsAgo,
            double seenSecondsAgo,
            boolean alive,
            int lanes,
            List<Problem> problems) {}
}
