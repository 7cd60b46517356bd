package io.stagedjobs;

import org.jspecify.annotations.Nullable;

/**
 * A job breaks a rule that Kafka or the table sets, so that it could never be published. It was not
 * staged; where the database refused it, the caller's transaction can only be rolled back. Trying again cannot help:
 * the code or the data that made the job is to be mended.
 */
public final class JobRefusedException extends StagedJobsException {

    JobRefusedException(String message) {
        this(message, null);
    }

    JobRefusedException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
