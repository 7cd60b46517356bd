package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.postgres.Status;
import io.stagedjobs.enqueuer.postgres.StatusReader.Counters;
import org.jspecify.annotations.Nullable;

/**
 * A status, and the counters of the same moment.
 *
 * @param counters null if this role may not read them
 * @param nanos when, by a clock of this process that cannot jump
 */
record Reading(Status status, @Nullable Counters counters, long nanos) {

    double secondsSince(Reading before) {
        return (nanos - before.nanos) / 1e9;
    }
}
