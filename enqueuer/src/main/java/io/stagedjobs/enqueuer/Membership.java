package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The port to the enqueuers that share the lanes: which of them are alive, and the data that all lanes share. Each
 * method is one transaction of its own. All throw {@link ExternalFailureException} if the database does not answer or
 * refuses. Thread-safe.
 */
public interface Membership {

    /** Stands for all topics in a pause; no topic has this name. */
    String ALL_TOPICS = "*";

    /**
     * Renews this enqueuer's row, deletes those of long-dead ones, and returns the live enqueuers, the owners and the
     * pauses.
     */
    Census beat();

    /** Replaces the problems in this enqueuer's row by these, for other processes to read. */
    void report(List<Problem> problems);

    /** Frees those of the lanes that we own, whatever their generation. */
    void giveBackStrays(Set<Integer> lanes);

    /** Measures the backlog cheaply: counts are exact up to a limit and an estimate beyond it. */
    Backlog backlog();

    /** Frees all our lanes and removes our row. */
    void leave();

    /**
     * The backlog of all lanes. Counts are exact up to 100 000, and PostgreSQL's estimate beyond that.
     *
     * @param jobs the number of staged jobs
     * @param oldestAge the age of the oldest of them by the database's clock; zero if no job waits
     * @param aside the number of jobs that were moved aside, held or parked
     */
    record Backlog(long jobs, Duration oldestAge, long aside) {}

    /**
     * What does not work for an enqueuer.
     *
     * @param place {@code kafka}, {@code postgresql}, {@code enqueuer}, or a halted lane such as {@code lane 3}
     * @param reason one line
     * @param lasting for how long it has been so
     */
    record Problem(String place, String reason, Duration lasting) {}

    /**
     * The live enqueuers and the owners of the lanes.
     *
     * @param me this enqueuer
     * @param owners one entry per lane, by lane number; null if no live enqueuer owns the lane
     * @param enqueuers the live ones, ordered by id, including this one
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
}
