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
 * One open transaction that holds the lock of one lane, so that nobody else moves or deletes its jobs. It belongs to
 * one thread. Closing without {@link #commit} rolls everything back. All methods throw {@link
 * ExternalFailureException}; after that, do not use the transaction any more.
 */
public interface LaneTransaction extends AutoCloseable {

    /** The number of the lane's last settled batch, 0 if there is none. */
    long lastBatch();

    /**
     * As {@link #lastBatch}, but read by the statement that locked the lane: it costs no further statement, and may be
     * older if that one waited.
     */
    long lastBatchWhenLocked();

    /**
     * Makes this transaction write, so that its commit waits for the disk and for synchronous standbys, and so secures
     * everything that was visible in it.
     */
    void writeToLog();

    /** The ids whose jobs are still in the lane, or moved aside. */
    List<Row> present(Collection<Long> ids);

    /** Deletes exactly these from the jobs that were moved aside. */
    int deleteAside(Collection<Row> rows);

    /** As {@link Lanes.Reading#era}. */
    String era();

    /**
     * Reads the lane's next jobs in id order, in one statement.
     *
     * @return the jobs, all on PostgreSQL's disk, and whether the read stopped at a limit
     */
    Read read(ReadCriteria criteria);

    /**
     * Whether any of these transactions may have been over when the previous statement began. Released locks alone do
     * not show that, because a transaction releases them after others can see its rows.
     */
    boolean anyOver(Set<String> writers);

    /**
     * Deletes exactly these, where both halves match.
     *
     * @param batch the number of their batch, which replaces the previous one; 0 if it has none
     */
    Deleted delete(Collection<Row> rows, long batch);

    /**
     * Begins {@link #delete} on a thread of its own, and returns at once. The next call on this transaction waits until
     * it is done, and fails if it failed.
     */
    void deleteMeanwhile(Collection<Row> rows, long batch);

    /** The result of {@link #deleteMeanwhile}; waits until it is done. */
    Deleted deletedMeanwhile();

    /** Rolls back only {@link #deleteMeanwhile}: the lane stays locked. */
    void takeBackDeletion();

    /**
     * Checks whether rows are still there after their DELETE.
     *
     * @return a message for a person if the database keeps some of them; empty if somebody else has deleted the missing
     *     rows
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

    /** The lane's jobs that are aside now. */
    Stored aside();

    /** Moves exactly these jobs aside. */
    void moveAside(Collection<Moved> jobs);

    /**
     * Moves the blocked ones among the lane's first jobs aside: holds those of refused topics, and parks those that
     * follow a parked job of their key.
     *
     * @param refused the topics whose jobs it holds
     * @param limits {@code rowsMax} limits the jobs that it checks, {@code bytesMax} those that it moves
     * @param after only jobs with a higher id
     */
    Swept sweep(Map<String, Refusal> refused, BatchLimits limits, long after);

    /** Puts the first held jobs of a topic back into the lane, with unchanged id, identity and time. */
    PutBack putBack(String topic, BatchLimits limits);

    /** Writes the channel under which the lane publishes from this commit on. */
    void useChannel(int channel);

    /** Commits; if this throws, whether it took effect is unknown. */
    void commit();

    /** Rolls back unless committed; never throws. */
    @Override
    void close();

    /** A job by its position and its identity. */
    record Row(long id, UUID jobId) {

        /** The position of a job. */
        public static Row of(Job job) {
            return new Row(job.id(), job.jobId());
        }
    }

    /** See {@link #read}. */
    record Read(List<Job> jobs, boolean full) {

        /** No job was read. */
        public static final Read NOTHING = new Read(List.of(), false);
    }

    /**
     * The result of a deletion.
     *
     * @param rows the number of deleted rows; lower than requested if somebody else deleted some
     * @param at the time of the deletion by the database's clock
     */
    record Deleted(int rows, Instant at) {}

    /**
     * A job to move aside.
     *
     * @param held whether it returns by itself; else a person decides
     */
    record Moved(Row row, boolean held, Refusal why) {}

    /**
     * The jobs of a lane that were moved aside.
     *
     * @param heldTopics topics with held jobs
     * @param anyParked whether any job is parked
     */
    record Stored(Set<String> heldTopics, boolean anyParked) {}

    /**
     * The result of a sweep.
     *
     * @param moved the number of moved jobs
     * @param through no blocked job is left up to this id
     */
    record Swept(int moved, long through) {}

    /**
     * The result of putting jobs back.
     *
     * @param nextHeld the lowest id of the topic that is still held, empty if none is
     */
    record PutBack(int rows, OptionalLong nextHeld) {}

    /**
     * The jobs that a read leaves out.
     *
     * @param topics topics that take no jobs: all of their jobs
     * @param from by topic, the id from which on its jobs must wait, because earlier ones are held
     * @param followers whether there may be jobs that follow a parked one of their key; the read leaves those out
     */
    record Blocked(Set<String> topics, Map<String, Long> from, boolean followers) {

        /** Leaves nothing out. */
        public static final Blocked NOTHING = new Blocked(Set.of(), Map.of(), false);

        public boolean isNothing() {
            return equals(NOTHING);
        }
    }
}
