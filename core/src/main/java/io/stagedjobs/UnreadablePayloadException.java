package io.stagedjobs;

/**
 * The payload of a job is not what its reader expects. The message says where the error is, and shows nothing of the
 * payload. Reading it again does not help: correct the reader, or put the job aside.
 */
public final class UnreadablePayloadException extends StagedJobsException {

    public UnreadablePayloadException(String message) {
        super(message, null);
    }
}
