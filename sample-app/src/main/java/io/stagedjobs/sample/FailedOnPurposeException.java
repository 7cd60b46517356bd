package io.stagedjobs.sample;

/** Ends a unit of work after its job was written, because the request asked for that. Everything is rolled back. */
final class FailedOnPurposeException extends RuntimeException {

    FailedOnPurposeException() {
        super("failed after staging, as the request asked");
    }
}
