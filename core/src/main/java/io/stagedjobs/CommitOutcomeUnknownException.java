package io.stagedjobs;

/**
 * The connection was lost during COMMIT, or something other than PostgreSQL failed there, such as a jOOQ {@code
 * TransactionListener}. The unit of work is stored either as a whole, with its jobs, or not at all; this side cannot
 * know which. It was not retried, since a retry could do it twice. The caller checks the business rows, or repeats a
 * unit that is harmless when repeated (an upsert, an idempotency key).
 */
public final class CommitOutcomeUnknownException extends StagedJobsException {

    /** @param what failed, so far as it is known */
    CommitOutcomeUnknownException(String what, Throwable cause) {
        super(
                "could not learn whether the unit of work was committed: " + what
                        + ". Either all of it is stored, its staged"
                        + " jobs included, or nothing is. It was not tried again; check the business rows, or repeat"
                        + " the unit if repeating it is harmless.",
                cause);
    }
}
