package io.stagedjobs.idempotency;

import io.stagedjobs.StagedJobsException;

/**
 * Another transaction is at work on the same idempotency key. Nothing of this request was done. A service answers with
 * {@link #httpStatus()}; the client may repeat the request a little later, and then gets the first response.
 */
public final class KeyInProgressException extends StagedJobsException {

    KeyInProgressException(String key) {
        super(
                "cannot take the request with idempotency key \"" + key
                        + "\" now: one with this key is being worked on."
                        + " Nothing of this one was done. Send it again a little later.",
                null);
    }

    /** 409, Conflict. */
    public int httpStatus() {
        return 409;
    }
}
