package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The port to PostgreSQL: the lanes, who owns them, and the jobs in them. Each method is one transaction of its own,
 * except that {@link #begin} leaves its transaction open. All throw {@link OutsideException} when the database does not
 * answer or refuses. Safe for use by many threads.
 */
public interface Lanes {

    /** Stands for every topic where topics are paused; no topic has this name. */
    String ALL_TOPICS = "*";

    /** Renews this enqueuer's row, forgets long dead ones, and says who lives, who owns what and what is paused. */
    Census beat();

    /**
     * Takes a lane that is free, ours or owned by an enqueuer that lives no more.
     *
     * @return the new generation, empty if another live enqueuer owns the lane
     */
    OptionalLong take(int lane);

    /** Frees the lane if that generation still owns it. */
    void giveBack(int lane, long generation);

    /** Frees those of the lanes that are ours, whichever generation they have. */
    void giveBack(Set<Integer> lanes);

    /**
     * Whether a job may wait in the lane behind the start, or the owner's memory is not to be relied on: the lane has another
     * generation, the era is another one, or one of the exceptions is over. Reads without any lock.
     */
    boolean anyWaiting(int lane, long generation, Start start);

    /**
     * Reads the last id drawn, then who may still commit one up to it. What was drawn is on PostgreSQL's disk, so that no crash
     * makes an id come again.
     */
    Reading readHorizon();

    /**
     * Begins a transaction and locks the lane in it.
     *
     * @return empty, with nothing left open, if the lane has another generation
     */
    Optional<LaneTransaction> begin(int lane, long generation);

    /** How much waits, cheaply: counts are exact up to a bound and an estimate beyond it. */
    Backlog backlog();

    /** Frees all our lanes and removes our row. */
    void leave();

    /**
     * What waits in all lanes. Counts are exact up to 100 000, beyond that what PostgreSQL estimates.
     *
     * @param jobs that are staged
     * @param oldestAge since the oldest of them was staged, by the database's clock; zero if nothing waits
     * @param aside jobs that were moved aside, held and parked ones
     */
    record Backlog(long jobs, Duration oldestAge, long aside) {}

    /**
     * Where to look for a lane's jobs.
     *
     * @param era of which the rest is true
     * @param after the id after which jobs may lie
     * @param exceptions transactions whose end would let jobs appear below
     */
    record Start(String era, long after, Set<String> exceptions) {}

    /**
     * See {@link #readHorizon}.
     *
     * @param era names the running server and the life of the sequence: another one after a restart or a failover, and when
     *     ids begin anew
     * @param writers the open transactions that have locked the table as an insert does
     */
    record Reading(String era, long lastId, Set<String> writers) {}

    /**
     * Who lives and who owns what.
     *
     * @param me this enqueuer
     * @param owners one entry a lane, by lane number; null where no live enqueuer owns it
     * @param enqueuers the live ones, ordered by id, this one among them
     * @param pauses topics that an operator has paused, {@link #ALL_TOPICS} for all of them
     */
    record Census(UUID me, List<@Nullable UUID> owners, List<UUID> enqueuers, Set<String> pauses) {

        /** The lanes that are ours, in order. */
        public SortedSet<Integer> ours() {
            return IntStream.range(0, owners.size())
                    .filter(lane -> me.equals(owners.get(lane)))
                    .boxed()
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    /**
     * How much is read at once.
     *
     * @param rowsMax at least 1
     * @param bytesMax of payloads, keys and headers; a batch exceeds it by at most one job
     */
    record BatchLimits(int rowsMax, long bytesMax) {}
}
