package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The rests of one thread. Other threads may end the thread, or wake it because there may be work. An interrupt counts
 * as a request to end.
 */
final class WakeableSleep {

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition said = lock.newCondition();
    private boolean ended;
    private boolean woken;

    /** Ends this rest and all later ones. */
    void end() {
        say(() -> ended = true);
    }

    /** Ends a light rest: the current one, else the next one, since the new work may have come after the last look. */
    void wake() {
        say(() -> woken = true);
    }

    private void say(Runnable what) {
        lock.lock();
        try {
            what.run();
            said.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** As {@link #take(Duration, boolean)}, but cannot be woken. */
    boolean take(Duration duration) {
        return take(duration, false);
    }

    /**
     * Rests for this time.
     *
     * @param light whether {@link #wake} ends it
     * @return false, at once, if the thread must end
     */
    boolean take(Duration duration, boolean light) {
        long left = duration.toNanos();
        try {
            lock.lockInterruptibly();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
        try {
            while (left > 0 && !ended && !(light && woken)) {
                left = said.awaitNanos(left);
            }
            woken = false;
            return !ended;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } finally {
            lock.unlock();
        }
    }
}
