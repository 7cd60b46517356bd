package io.stagedjobs;

import org.jspecify.annotations.Nullable;

/**
 * How a unit of work runs.
 *
 * @param isolation null for the database's default
 */
record UnitOptions(
        StagedJobs stagedJobs,
        @Nullable Isolation isolation,
        int attemptsMax,
        boolean retryUniqueViolations,
        String name,
        UnitListener listener,
        @Nullable WakeUp wakeUp) {

    UnitOptions withStagedJobs(StagedJobs changed) {
        return new UnitOptions(changed, isolation, attemptsMax, retryUniqueViolations, name, listener, wakeUp);
    }

    UnitOptions withIsolation(Isolation changed) {
        return new UnitOptions(stagedJobs, changed, attemptsMax, retryUniqueViolations, name, listener, wakeUp);
    }

    UnitOptions withAttemptsMax(int changed) {
        return new UnitOptions(stagedJobs, isolation, changed, retryUniqueViolations, name, listener, wakeUp);
    }

    UnitOptions withRetryUniqueViolations() {
        return new UnitOptions(stagedJobs, isolation, attemptsMax, true, name, listener, wakeUp);
    }

    UnitOptions withName(String changed) {
        return new UnitOptions(stagedJobs, isolation, attemptsMax, retryUniqueViolations, changed, listener, wakeUp);
    }

    UnitOptions withListener(UnitListener changed) {
        return new UnitOptions(stagedJobs, isolation, attemptsMax, retryUniqueViolations, name, changed, wakeUp);
    }

    UnitOptions withWakeUp(WakeUp changed) {
        return new UnitOptions(stagedJobs, isolation, attemptsMax, retryUniqueViolations, name, listener, changed);
    }
}
