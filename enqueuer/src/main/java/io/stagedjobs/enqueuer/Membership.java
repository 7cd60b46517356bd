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
 * The port to the enqueuers that share the lanes: who of them lives, and what all lanes have in common. Each method is
 * one transaction of its own. All throw {@link ExternalFailureException} when the database does not answer or refuses.
 * Safe for use by many threads.
 */
public interface Membership {

    /** Stands for every topic where topics are paused; no topic has this name. */
    String ALL_TOPICS = "*";

    /** Renews this enqueuer's row, forgets long dead ones, and says who lives, who owns what and what is paused. */
    Census beat();

    /** Writes what does not work for this enqueuer now into its row, in place of what was there: for other processes. */
    void tell(List<Problem> problems);

    /** Frees those of the lanes that are ours, whichever generation they have. */
    void giveBackStrays(Set<Integer> lanes);

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
     * What does not work for an enqueuer.
     *
     * @param place {@code kafka}, {@code postgresql}, {@code enqueuer}, or a halted lane such as {@code lane 3}
     * @param reason one line
     * @param lasting for how long it has been so
     */
    record Problem(String place, String reason, Duration lasting) {}

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
}
