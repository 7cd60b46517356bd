package io.stagedjobs;

/**
 * A unit of work met a conflict with other transactions in each of its attempts. Every attempt was rolled back: nothing
 * was stored and nothing staged. The {@linkplain #getCause() cause} is the last attempt's failure, the {@linkplain
 * #getSuppressed() suppressed} ones are those of earlier attempts, oldest first. A later retry may work; a service
 * answers its client with "try again".
 */
public final class AttemptsExhaustedException extends StagedJobsException {

    private final int attempts;

    AttemptsExhaustedException(String message, int attempts, Throwable lastFailure) {
        super(message, lastFailure);
        this.attempts = attempts;
    }

    /** How often the unit was tried, at least 1. */
    public int attempts() {
        return attempts;
    }
}
