package io.stagedjobs.consumer;

import io.stagedjobs.StagedJobsException;
import java.sql.SQLException;

/**
 * A job could not be claimed; PostgreSQL's own error is the {@linkplain #getCause() cause}. Nothing was handled. Roll
 * the transaction back, and take the job again later. A {@link io.stagedjobs.UnitOfWork} retries by itself what its
 * SQLSTATE allows.
 */
public final class InboxException extends StagedJobsException {

    private static final String LOCK_NOT_AVAILABLE = "55P03";
    private static final String UNDEFINED_FUNCTION = "42883";
    private static final String INVALID_SCHEMA = "3F000";

    private InboxException(String message, SQLException cause) {
        super(message, cause);
    }

    static InboxException of(String consumer, String jobs, SQLException e) {
        String state = String.valueOf(e.getSQLState());
        String fix =
                switch (state) {
                    case LOCK_NOT_AVAILABLE ->
                        " Another transaction has been handling it for 10 s and is still open: the"
                                + " view pg_stat_activity shows it.";
                    case UNDEFINED_FUNCTION, INVALID_SCHEMA ->
                        " Install the inbox with `staged-jobs migrate --inbox`, or" + " name its schema.";
                    default -> "";
                };
        return new InboxException(
                "consumer \"" + consumer + "\" could not claim " + jobs + " (SQLSTATE " + state + "): " + e.getMessage()
                        + ". Nothing was handled; roll the transaction back." + fix,
                e);
    }
}
