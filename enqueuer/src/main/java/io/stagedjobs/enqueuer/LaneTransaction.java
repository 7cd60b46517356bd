package io.stagedjobs.enqueuer;

import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;

/**
 * One open transaction that holds the lock of one lane, so that nobody else moves, deletes or returns its jobs. It
 * belongs to one thread. Closing without {@link #commit} takes everything back. All methods throw
 * {@link ExternalFailureException}; the transaction is then not used any more.
 */
public interface LaneTransaction extends AutoCloseable {

    /** The number of the lane's last batch whose jobs were deleted, 0 if there was none. */
    long lastBatch();

    /**
     * As {@link #lastBatch}, as of the statement that locked the lane: no question of its own, and older if that one
     * waited.
     */
    long lastBatchWhenLocked();

    /**
     * Makes this transaction write, so that its commit waits for whatever PostgreSQL makes commits wait for, and then
     * holds for all that was visible in it.
     */
    void writeToLog();

    /** Those of the ids that are still in the lane, or moved aside. */
    List<Row> present(Collection<Long> ids);

    /** Deletes exactly these where they are moved aside. */
    int deleteAside(Collection<Row> rows);

    /** As {@link Lanes.Reading#era}. */
    String era();

    /**
     * Reads the lane's next jobs in id order, in one statement.
     *
     * @return the jobs, and whether the read stopped at a bound; what was read is on PostgreSQL's disk
     */
    Read read(Selection selection);

    /**
     * Whether any of these transactions may have been over when the statement before this one began: not just whether
     * it has given up its locks, which it does after others can see its rows.
     */
    boolean anyOver(Set<String> writers);

    /**
     * Deletes exactly these, where both halves match.
     *
     * @param batch whose jobs they are: its number is written down in place of the one before it; 0 if it has none
     */
    Deleted delete(Collection<Row> rows, long batch);

    /**
     * Begins {@link #delete} on a thread of its own, and returns at once. Whatever is asked next of this transaction
     * waits until it is done, and fails if it failed.
     */
    void deleteMeanwhile(Collection<Row> rows, long batch);

    /** What {@link #deleteMeanwhile} has deleted, once it is done. */
    Deleted deletedMeanwhile();

    /** Takes back {@link #deleteMeanwhile}, and nothing else: the lane stays locked. */
    void takeBackDeletion();

    /**
     * Looks whether rows are still there after they were to be deleted.
     *
     * @return what to tell a person if some are, since the database keeps them; empty if somebody else has deleted the
     *     missing
     */
    default Optional<String> stillThere(Collection<Row> rows, Deleted deleted) {
        if (deleted.rows() >= rows.size()) {
            return Optional.empty();
        }
        Set<Row> asked = Set.copyOf(rows);
        long kept = present(rows.stream().map(Row::id).toList()).stream()
                .filter(asked::contains)
                .count();
        return kept == 0
                ? Optional.empty()
                : Optional.of(kept + " of " + rows.size() + " published jobs are still in the table after their DELETE:"
                        + " a row-level security policy, a trigger or a rule on staged_jobs keeps the enqueuer's"
                        + " role from deleting them. Remove it, or let the enqueuer's role pass it");
    }

    /** What of the lane is moved aside at this moment. */
    Stored aside();

    /** Moves exactly these jobs aside. */
    void moveAside(Collection<Moved> jobs);

    /**
     * Moves aside what is blocked among the lane's first jobs: held where the topic refuses, parked where an earlier
     * job of the key is.
     *
     * @param refused the topics whose jobs are to be held
     * @param limits {@code rowsMax} of the jobs that are looked at, {@code bytesMax} of those that are moved
     * @param after only jobs with a higher id
     */
    Swept sweep(Map<String, Refusal> refused, BatchLimits limits, long after);

    /** Puts the first held jobs of a topic back into the lane, with id, identity and time as they were. */
    PutBack putBack(String topic, BatchLimits limits);

    /** Writes down under which channel the lane publishes from this commit on. */
    void useChannel(int channel);

    /** Commits; if this throws, whether it took effect is unknown. */
    void commit();

    /** Rolls back unless committed; never throws. */
    @Override
    void close();

    /** A job by its position and its identity. */
    record Row(long id, UUID jobId) {

        /** Where a job is. */
        public static Row of(Job job) {
            return new Row(job.id(), job.jobId());
        }
    }

    /** See {@link #read}. */
    record Read(List<Job> jobs, boolean full) {

        /** Nothing was read. */
        public static final Read NOTHING = new Read(List.of(), false);
    }

    /**
     * What was deleted.
     *
     * @param rows fewer than asked if somebody else deleted some
     * @param at when that was known, by the database's clock
     */
    record Deleted(int rows, Instant at) {}

    /**
     * A job to move aside.
     *
     * @param held whether it returns by itself; else a person decides
     */
    record Moved(Row row, boolean held, Refusal why) {}

    /**
     * What is moved aside of a lane.
     *
     * @param heldTopics topics of which jobs are held
     * @param anyParked whether any job is parked
     */
    record Stored(Set<String> heldTopics, boolean anyParked) {}

    /**
     * What a sweep did.
     *
     * @param moved how many were moved
     * @param through up to this id none is left that is blocked
     */
    record Swept(int moved, long through) {}

    /**
     * What was put back.
     *
     * @param nextHeld the lowest id of the topic that is still held, empty if none is
     */
    record PutBack(int rows, OptionalLong nextHeld) {}

    /**
     * What a read leaves out.
     *
     * @param topics that take nothing: all of their jobs
     * @param from by topic, the id from which on its jobs wait, because earlier ones are held
     * @param followers whether jobs may follow a parked one of their key: those are left out
     */
    record Blocked(Set<String> topics, Map<String, Long> from, boolean followers) {

        /** Nothing is left out. */
        public static final Blocked NOTHING = new Blocked(Set.of(), Map.of(), false);

        public boolean isNothing() {
            return equals(NOTHING);
        }
    }
}
