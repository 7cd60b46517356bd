package io.stagedjobs;

/**
 * The connection was lost while COMMIT was under way: the unit of work is either stored as a whole, with its jobs, or
 * not at all, and this side cannot know which. It was not tried again, since that could do it twice. The caller is to
 * look at the business rows, or to repeat a unit that is harmless when repeated (an upsert, an idempotency key).
 */
public final class CommitOutcomeUnknownException extends StagedJobsException {

    CommitOutcomeUnknownException(Throwable cause) {
        super(
                "could not learn whether the unit of work was committed: the connection was lost during COMMIT. Either all of"
                        + " it is stored, its staged jobs included, or nothing is. It was not tried again; check the business"
                        + " rows, or repeat the unit if repeating it is harmless.",
                cause);
    }
}
