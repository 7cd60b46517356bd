package io.stagedjobs.faultkit;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A planned action of a {@link FaultProxy} at the n-th request of a kind, for which a test can wait.
 *
 * <p>It happens once. Thread-safe.
 */
public final class PlannedFault {

    /** The action at the request. */
    enum Kind {
        NOTICE,
        LOSE_REQUEST,
        LOSE_ANSWER
    }

    private final String description;
    private final Kind kind;
    private final FaultProxy.Then then;
    private final CountDownLatch happened = new CountDownLatch(1);

    PlannedFault(String description, Kind kind, FaultProxy.Then then) {
        this.description = description;
        this.kind = kind;
        this.then = then;
    }

    Kind kind() {
        return kind;
    }

    FaultProxy.Then then() {
        return then;
    }

    void happen() {
        happened.countDown();
    }

    public boolean hasHappened() {
        return happened.getCount() == 0;
    }

    /**
     * Waits until it has happened; returns at once if it has already.
     *
     * @throws AssertionError if it does not happen in time
     */
    public void await(Duration timeout) {
        try {
            if (!happened.await(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                throw new AssertionError("waited " + timeout.toMillis() + " ms in vain: " + description);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting: " + description, e);
        }
    }

    @Override
    public String toString() {
        return description + (hasHappened() ? " (has happened)" : " (has not happened)");
    }
}
