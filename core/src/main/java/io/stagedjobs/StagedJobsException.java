package io.stagedjobs;

import org.jspecify.annotations.Nullable;

/** The superclass of all exceptions of this library. Each subclass stands for one decision that a caller can take. */
public abstract class StagedJobsException extends RuntimeException {

    /** @param cause the error of the database or a codec, if there is one */
    protected StagedJobsException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
