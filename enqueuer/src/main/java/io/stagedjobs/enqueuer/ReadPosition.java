package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import java.util.Set;

/**
 * Where the reads of one lane begin. PostgreSQL's index keeps entries of deleted rows for as long as any old snapshot
 * might want them, and a read from the lane's start walks over all of them. Below the <em>floor</em> no job is left and
 * none can appear ({@link CommitHorizon} says why), so that reads begin there. Jobs that come back from
 * {@code parked_jobs} lie below the floor: then it starts anew ({@link #reset}).
 *
 * <p>An example. Writer X is open and will use id 3; ids 1 to 5 are drawn, 1, 2, 4 and 5 are committed and published.
 *
 * <pre>
 *   id          1   2   3   4   5
 *               published   X   published
 *   floor           ^               safe: nothing at or below 2 can be committed any more
 *   start                       ^   safe but for X: reads may begin behind 5 for as long as X is open
 * </pre>
 *
 * <p>X becomes an exception when it is old. Each read that began above the floor has to ask afterwards whether one of
 * the exceptions is over. If so, the lane is read again from the floor ({@link #backToFloor}), and id 3 is found.
 *
 * <p>While some jobs of the lane are blocked, reads leave them out. The floor then rises only as far as a sweep has
 * moved blocked jobs aside ({@link #swept}). One lane's thread, one ownership.
 */
final class ReadPosition {

    private final String era;
    private Blocked blocked = Blocked.NOTHING;
    private long floor;
    private long cleared;
    private long start;
    private Set<String> exceptions = Set.of();

    /** @param era of the server on which the lane was acquired; in another era nothing here is true */
    ReadPosition(String era) {
        this.era = era;
    }

    String era() {
        return era;
    }

    boolean isTrueIn(String era) {
        return era.equals(this.era);
    }

    /** What the next read takes. */
    Selection select(Blocked blocked, BatchLimits limits) {
        block(blocked);
        return new Selection(start, exceptions, blocked, limits);
    }

    /** The id after which a sweep begins. */
    long floor() {
        return floor;
    }

    /** Takes note of what is blocked now; if that is news, no sweep has cleared the lane of it. */
    void block(Blocked blocked) {
        if (!blocked.equals(this.blocked)) {
            this.blocked = blocked;
            notCleared();
        }
    }

    /** One of the exceptions is over: what it has committed lies above the floor. */
    void backToFloor() {
        start = floor;
        exceptions = Set.of();
    }

    /**
     * Up to that id no blocked job was left of what the last sweep could see.
     *
     * @param before what was known before the sweep began
     */
    void swept(long through, CommitHorizon.View before) {
        cleared = Math.max(cleared, Math.min(through, ofThisEra(before).safeUpTo()));
    }

    /** Other jobs are blocked than the last sweep knew. */
    void notCleared() {
        cleared = 0;
    }

    /**
     * Nothing up to that id, but for what is blocked, is left of what a read could see.
     *
     * @param read what that read was asked for
     * @param view what was known before the read began
     */
    void passed(long through, Selection read, CommitHorizon.View view) {
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

    /** Jobs came back, wherever they lie. */
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
