package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import java.util.Set;

/**
 * Where the reads of one lane begin. Of what was deleted, PostgreSQL's index keeps entries for as long as any old snapshot
 * might want them, and a read from the lane's start walks over all of them. Below the floor no job is left, and none can appear:
 * see {@link Horizon}; what comes back from {@code parked_jobs} makes it {@link #forget}.
 *
 * <p>While an old transaction stays open that may still commit a job, the reads begin above it; after each such read it has to
 * be asked whether the exceptions are all still open. While something of the lane is blocked, reads leave jobs out: then the
 * floor follows what a sweep has cleared of those. It belongs to the lane's thread, and to one ownership.
 */
final class Floor {

    private final String era;
    private Blocked blocked = Blocked.NOTHING;
    private Horizon.View before = Horizon.View.NOTHING;
    private long settled;
    private long cleared;
    private long above;
    private Set<String> exceptions = Set.of();

    /** @param era of the server on which the lane was acquired; in another one the floor is not true */
    Floor(String era) {
        this.era = era;
    }

    boolean isTrueIn(String era) {
        return era.equals(this.era);
    }

    /**
     * Takes note of what the next transaction reads or sweeps with; it is one of this era.
     *
     * @param view what was known before that transaction began
     */
    void in(Horizon.View view, Blocked blocked) {
        if (!blocked.equals(this.blocked)) {
            this.blocked = blocked;
            notCleared();
        }
        before = isTrueIn(view.era()) ? view : Horizon.View.NOTHING;
    }

    /** The id after which a read begins. */
    long start() {
        return above;
    }

    /** The id after which a sweep begins. */
    long settled() {
        return settled;
    }

    /** Whose end would let jobs appear below the start of the last read; empty if that cannot be. */
    Set<String> exceptions() {
        return exceptions;
    }

    /** Where to look whether any job waits. */
    Lanes.Start last(long generation) {
        return new Lanes.Start(generation, era, above, exceptions);
    }

    /** One of the exceptions is over: what it has committed lies from here on. */
    long backToSettled() {
        above = settled;
        exceptions = Set.of();
        return settled;
    }

    /** Up to that id no blocked job was left of what the last sweep could see. */
    void swept(long through) {
        cleared = Math.max(cleared, Math.min(through, before.settled()));
    }

    /** Other jobs are blocked than the last sweep knew. */
    void notCleared() {
        cleared = 0;
    }

    /** Nothing up to that id, but for what is blocked, is left of what the last read could see. */
    void passed(long through) {
        if (!blocked.equals(Blocked.NOTHING)) {
            settled = Math.max(settled, Math.min(Math.min(through, before.settled()), cleared));
        } else {
            settled = Math.max(settled, Math.min(through, before.settled()));
            if (before.exceptions().containsAll(exceptions)) {
                above = Math.max(above, Math.min(through, before.settledExcept()));
                exceptions = above > settled ? before.exceptions() : Set.of();
            }
        }
        above = Math.max(above, settled);
    }

    /** Jobs came back, wherever they lie. */
    void forget() {
        settled = 0;
        cleared = 0;
        above = 0;
        exceptions = Set.of();
    }
}
