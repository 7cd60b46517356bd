package io.stagedjobs.idempotency;

import io.stagedjobs.StagedJobsException;

/**
 * A client reused an idempotency key for a different request. Nothing of this request was done, and the first response
 * is kept. A service answers with {@link #httpStatus()}; the client must choose a new key for a new request.
 */
public final class KeyReusedException extends StagedJobsException {

    KeyReusedException(String key) {
        super(
                "cannot take the request with idempotency key \"" + key
                        + "\": this key was used for a different request."
                        + " Nothing of this one was done. Send it with a new key.",
                null);
    }

    /** 422, Unprocessable Content. */
    public int httpStatus() {
        return 422;
    }
}
