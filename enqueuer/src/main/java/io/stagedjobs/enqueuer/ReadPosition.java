package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import java.util.Set;

/**
 * Where the reads of one lane begin. PostgreSQL's index keeps entries of deleted rows while an old snapshot might need
 * them, and a read from the lane's start would walk over all of them. Below the <em>floor</em> no job is left and none
 * can appear ({@link CommitHorizon} says why), so reads begin there. Jobs that return from {@code parked_jobs} are
 * below the floor: then the floor starts anew ({@link #reset}).
 *
 * <p>An example: writer X is open and will use id 3; ids 1 to 5 are drawn; 1, 2, 4 and 5 are committed and published.
 *
 * <pre>
 *   id          1   2   3   4   5
 *               published   X   published
 *   floor           ^               safe: nothing at or below 2 can be committed any more
 *   start                       ^   safe but for X: reads may begin behind 5 for as long as X is open
 * </pre>
 *
 * <p>X becomes an exception when it is old. After each read that began above the floor, the owner must check whether
 * one of the exceptions is over. If so, it reads the lane again from the floor ({@link #backToFloor}), and finds id 3.
 *
 * <p>Reads leave out blocked jobs. While there are any, the floor rises only as far as a sweep has set blocked jobs
 * aside ({@link #swept}). For the lane's thread and one ownership.
 */
final class ReadPosition {

    private final String era;
    private Blocked blocked = Blocked.NOTHING;
    private long floor;
    private long cleared;
    private long start;
    private Set<String> exceptions = Set.of();

    /** @param era the era in which the lane was acquired; in another era nothing here is true */
    ReadPosition(String era) {
        this.era = era;
    }

    String era() {
        return era;
    }

    boolean isTrueIn(String era) {
        return era.equals(this.era);
    }

    /** The selection of the next read. */
    ReadCriteria select(Blocked blocked, BatchLimits limits) {
        block(blocked);
        return new ReadCriteria(start, exceptions, blocked, limits);
    }

    /** The id after which a sweep begins. */
    long floor() {
        return floor;
    }

    /** Records which jobs are blocked now; if that changes, no sweep has covered them yet. */
    void block(Blocked blocked) {
        if (!blocked.equals(this.blocked)) {
            this.blocked = blocked;
            notCleared();
        }
    }

    /** One of the exceptions is over: the jobs that it committed are above the floor. */
    void backToFloor() {
        start = floor;
        exceptions = Set.of();
    }

    /**
     * The last sweep left no blocked job that it could see up to this id.
     *
     * @param before the view before the sweep began
     */
    void swept(long through, CommitHorizon.View before) {
        cleared = Math.max(cleared, Math.min(through, ofThisEra(before).safeUpTo()));
    }

    /** Other jobs are blocked than at the last sweep. */
    void notCleared() {
        cleared = 0;
    }

    /**
     * Of the jobs that a read could see, only blocked ones are left up to this id.
     *
     * @param read the selection of that read
     * @param view the view before the read began
     */
    void passed(long through, ReadCriteria read, CommitHorizon.View view) {
        CommitHorizon.View before = ofThisEra(view);
        if (!read.blocked().equals(Blocked.NOTHING)) {
            floor = Math.max(floor, Math.min(Math.min(through, before.safeUpTo()), cleared));
        } else {
            floor = Math.max(floor, Math.min(through, before.safeUpTo()));
            if (before.exceptions().containsAll(exceptions)) {
                start = Math.max(start, Math.min(through, before.safeUpToExcept()));
                exceptions = start > floor ? before.exceptions() : Set.of();
            }
        }
        start = Math.max(start, floor);
    }

    /** Jobs have returned, at any position. */
    void reset() {
        floor = 0;
        cleared = 0;
        start = 0;
        exceptions = Set.of();
    }

    private CommitHorizon.View ofThisEra(CommitHorizon.View view) {
        return isTrueIn(view.era()) ? view : CommitHorizon.View.NOTHING;
    }
}
