package io.stagedjobs;

import org.jspecify.annotations.Nullable;

/**
 * A job breaks a rule that Kafka or the table sets, so that it could never be published. It was not staged. Trying
 * again cannot help: mend the code or the data that made the job.
 *
 * <p>Where the database refused it, roll the transaction back. Do not swallow this exception: a commit may then return
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
