package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The port to PostgreSQL: the lanes, who owns them, and the jobs in them. Each method is one transaction of its own,
 * except that {@link #claim} leaves its transaction open in the batch. All throw {@link OutsideException} when the
 * database does not answer or refuses. Safe for use by many threads.
 */
public interface Lanes {

    /** Renews this enqueuer's row, forgets long dead ones, and says who lives and who owns what. */
    Census beat();

    /**
     * Takes a lane that is free, ours or owned by an enqueuer that lives no more.
     *
     * @return the new generation, empty if another live enqueuer owns the lane
     */
    OptionalLong take(int lane);

    /** Frees the lane if that generation still owns it. */
    void giveBack(int lane, long generation);

    /**
     * Compares what the database has settled with what Kafka has committed, and changes nothing: asked before the
     * publisher fences anybody, so that a copy of a database does not disturb the original.
     */
    Reconciliation compare(int lane, long generation, Progress progress);

    /** As {@link #compare}; where Kafka is one batch ahead, deletes the rows of that batch that are still there. */
    Reconciliation reconcile(int lane, long generation, Progress progress);

    /** Whether a job of another topic than those waits; reads without any lock. */
    boolean anyWaiting(int lane, Set<String> heldTopics);

    /**
     * Locks the lane and reads its next jobs in id order, those of held topics left out.
     *
     * @return empty if the lane has a newer generation
     */
    Optional<Batch> claim(Turn turn, BatchLimits limits, Set<String> heldTopics);

    /** How much waits, cheaply: the count is exact up to a bound and an estimate beyond it. */
    Backlog backlog();

    /** Frees all our lanes and removes our row. */
    void leave();

    /**
     * What waits in all lanes.
     *
     * @param jobs exact up to 100 000, beyond that what PostgreSQL estimates
     * @param oldestAge since the oldest was staged, by the database's clock; zero if nothing waits
     */
    record Backlog(long jobs, Duration oldestAge) {}

    /**
     * Who lives and who owns what.
     *
     * @param me this enqueuer
     * @param owners one entry a lane, by lane number; null where no live enqueuer owns it
     * @param enqueuers the live ones, ordered by id, this one among them
     */
    record Census(UUID me, List<@Nullable UUID> owners, List<UUID> enqueuers) {}

    /**
     * Which batch of which ownership.
     *
     * @param number one more than the lane's last batch, or {@link #UNCOUNTED}
     */
    record Turn(int lane, long generation, long number) {

        /** The delivery mode keeps no progress, so that batches need no numbers. */
        public static final long UNCOUNTED = 0;
    }

    /**
     * How much is read at once.
     *
     * @param rowsMax at least 1
     * @param bytesMax of payloads, keys and headers; a batch exceeds it by at most one job
     */
    record BatchLimits(int rowsMax, long bytesMax) {}
}
