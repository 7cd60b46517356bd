package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import java.util.Set;

/**
 * The jobs of a lane that a read takes.
 *
 * @param after only jobs with a higher id
 * @param exceptions open transactions whose end would let jobs appear at or below {@code after}
 * @param blocked the jobs to leave out
 */
public record ReadCriteria(long after, Set<String> exceptions, Blocked blocked, BatchLimits limits) {

    ReadCriteria withNothingBlocked() {
        return new ReadCriteria(after, exceptions, Blocked.NOTHING, limits);
    }
}
