package io.stagedjobs.sample;

import io.javalin.http.HttpStatus;
import org.jspecify.annotations.Nullable;

/**
 * What was asked for cannot be done. The status says whose turn it is; the message is for the client: what happened, what
 * was kept and what to do.
 */
final class RequestFailedException extends RuntimeException {

    private final HttpStatus status;

    RequestFailedException(HttpStatus status, String message) {
        this(status, message, null);
    }

    RequestFailedException(HttpStatus status, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.status = status;
    }

    HttpStatus status() {
        return status;
    }
}
