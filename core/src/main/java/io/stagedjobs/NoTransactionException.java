package io.stagedjobs;

/**
 * A job was to be staged on a connection without an open transaction. Nothing was staged. The calling code is to open a
 * transaction around the business rows and the job.
 */
public final class NoTransactionException extends StagedJobsException {

    NoTransactionException() {
        super(
                "cannot stage a job on an autocommit connection: the job would be committed at once, apart from the"
                        + " business rows it belongs to. Nothing was staged. Open a transaction first"
                        + " (Connection.setAutoCommit(false), DSLContext.transaction(…) or UnitOfWork).",
                null);
    }
}
