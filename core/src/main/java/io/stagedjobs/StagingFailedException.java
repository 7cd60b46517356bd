package io.stagedjobs;

import java.sql.SQLException;

/**
 * The database could not take the jobs; its own error is the {@linkplain #getCause() cause}. Nothing was staged. Roll
 * the transaction back, and do not swallow this exception, as {@link JobRefusedException} explains. Whether a retry may
 * work depends on the SQLSTATE; {@link UnitOfWork} decides that by itself.
 */
public final class StagingFailedException extends StagedJobsException {

    StagingFailedException(String message, SQLException cause) {
        super(message, cause);
    }
}
