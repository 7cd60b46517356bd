package io.stagedjobs;

import org.jspecify.annotations.Nullable;

/**
 * A job breaks a rule of Kafka or of the table, so that it could never be published. It was not staged. A retry cannot
 * help: correct the code or the data that made the job.
 *
 * <p>If the database refused it, roll the transaction back. Do not swallow this exception: a commit may then return
 * normally and store nothing, or, with pgjdbc's {@code autosave}, store the business rows without the job.
 */
public final class JobRefusedException extends StagedJobsException {

    JobRefusedException(String message) {
        this(message, null);
    }

    JobRefusedException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
