package io.stagedjobs.daemon.admin;

import io.stagedjobs.enqueuer.ExternalFailureException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What the API tells of an outbox and does to it. Each method is complete in itself, may wait for PostgreSQL, and
 * throws {@link ExternalFailureException} where that does not answer. Safe for use by many threads.
 */
public interface Outbox {

    /** What waits and who works, in a time that does not grow with the tables. */
    State state();

    /** What has happened so far. Cheap. */
    Counters counters();

    /** The first jobs moved aside with an id above {@code after}, in id order, without their payloads. */
    List<Job> jobs(Selection selection, long after, int limit);

    /** One of them, if it is there. */
    Optional<Job> job(long id);

    /** The first bytes of its payload; empty if the job is not there or is a tombstone. */
    Optional<byte[]> payload(long id, int bytesMax);

    /** Stages parked jobs again; with {@code dryRun} it only says what it would do. */
    Change requeue(Selection selection, boolean dryRun);

    /** Deletes jobs that were moved aside; with {@code dryRun} it only says what it would do. */
    Change discard(Selection selection, boolean dryRun);

    /**
     * Pauses a topic, {@code *} for everything.
     *
     * @return false if it was paused already
     */
    boolean pause(String topic, boolean dryRun);

    /** @return false if it was not paused */
    boolean resume(String topic, boolean dryRun);

    /**
     * The outbox at one moment.
     *
     * @param at that moment, by the database's clock
     * @param exact whether the jobs were counted; else their numbers and ages are estimates
     * @param topics of the jobs that wait, most jobs first
     * @param aside what was moved aside, most jobs first
     * @param paused topics, {@code *} for everything
     * @param lanes as the API shows them
     * @param enqueuers as the API shows them
     */
    record State(
            String at,
            int schemaVersion,
            long backlog,
            boolean exact,
            double oldestAgeSeconds,
            List<Waiting> topics,
            List<Aside> aside,
            boolean asideExact,
            List<String> paused,
            List<?> lanes,
            List<?> enqueuers) {}

    /** Jobs of a topic that wait. */
    record Waiting(String topic, long backlog, boolean exact) {}

    /** Jobs that were moved aside for the same reason. */
    record Aside(String topic, String state, String reason, String error, long jobs) {}

    /**
     * Counts that only grow, but for a crash of PostgreSQL.
     *
     * @param at when they were read, by the database's clock
     * @param lastId the highest id drawn
     * @param deleted rows deleted from {@code staged_jobs}
     * @param movedAside rows that went into {@code parked_jobs}
     */
    record Counters(String at, long lastId, long deleted, long movedAside) {}

    /**
     * A job that was moved aside.
     *
     * @param shown as the API shows it
     */
    record Job(long id, Object shown) {}

    /**
     * Which jobs are meant; what is null or empty does not restrict.
     *
     * @param key only together with a topic
     */
    record Selection(
            List<Long> ids,
            @Nullable String state,
            @Nullable String topic,
            @Nullable String key,
            @Nullable String reason,
            @Nullable String name) {

        /** Jobs by their ids, or all. */
        public static Selection of(List<Long> ids) {
            return new Selection(ids, null, null, null, null, null);
        }
    }

    /**
     * What a change did or would do.
     *
     * @param requeued jobs that are staged again
     * @param discarded jobs that are gone
     * @param held of the discarded ones, those that would have returned by themselves
     * @param followed of the requeued ones, those that were not chosen
     * @param kept chosen jobs that stay
     */
    record Change(int requeued, int discarded, int held, int followed, int kept) {}
}
