package io.stagedjobs;

/**
 * The caller tried to stage a job without an open transaction. Nothing was staged. The caller must open a transaction
 * around the business rows and the job.
 */
public final class NoTransactionException extends StagedJobsException {

    NoTransactionException() {
        this("cannot stage a job on an autocommit connection: the job would be committed at once, apart from the"
                + " business rows it belongs to. Nothing was staged. Open a transaction first"
                + " (Connection.setAutoCommit(false), DSLContext.transaction(…) or UnitOfWork).");
    }

    /** For callers that recognise an open transaction by something else than the connection. */
    public NoTransactionException(String message) {
        super(message, null);
    }
}
