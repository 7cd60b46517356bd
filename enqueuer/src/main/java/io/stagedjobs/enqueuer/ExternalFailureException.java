package io.stagedjobs.enqueuer;

import org.jspecify.annotations.Nullable;

/**
 * PostgreSQL or Kafka failed. The open transaction, if there was one, is rolled back or its outcome is unknown: the
 * caller releases everything it holds, rests and acquires again.
 */
public final class ExternalFailureException extends RuntimeException {

    private final Origin origin;

    public ExternalFailureException(Origin origin, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.origin = origin;
    }

    public Origin origin() {
        return origin;
    }
}
