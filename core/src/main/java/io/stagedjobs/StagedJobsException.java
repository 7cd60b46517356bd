package io.stagedjobs;

import org.jspecify.annotations.Nullable;

/** What every exception of this library extends. Each subclass stands for one decision that a caller can take. */
public abstract class StagedJobsException extends RuntimeException {

    /** @param cause what the database or a codec said, if it was asked */
    protected StagedJobsException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
