package io.stagedjobs;

/**
 * A job was to be staged where no transaction is open. Nothing was staged. The calling code is to open a transaction
 * around the business rows and the job.
 */
public final class NoTransactionException extends StagedJobsException {

    NoTransactionException() {
        this("cannot stage a job on an autocommit connection: the job would be committed at once, apart from the"
                + " business rows it belongs to. Nothing was staged. Open a transaction first"
                + " (Connection.setAutoCommit(false), DSLContext.transaction(…) or UnitOfWork).");
    }

    /** For those who tell by other signs than the connection's whether a transaction is open. */
    public NoTransactionException(String message) {
        super(message, null);
    }
}
