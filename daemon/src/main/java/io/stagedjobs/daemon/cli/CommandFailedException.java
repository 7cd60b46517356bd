package io.stagedjobs.daemon.cli;

import org.jspecify.annotations.Nullable;

/** A command could not do its work; the message says what was kept and what to do. */
final class CommandFailedException extends RuntimeException {

    CommandFailedException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
