package io.stagedjobs.daemon.cli;

/** A command could not do its work; the message says what was kept and what to do. */
final class CommandFailedException extends RuntimeException {

    CommandFailedException(String message, @org.jspecify.annotations.Nullable Throwable cause) {
        super(message, cause);
    }
}
