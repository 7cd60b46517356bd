package io.stagedjobs.enqueuer;

import java.time.Duration;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * How one thread rests, and what others may say to it meanwhile: that it has to end, or that there may be something to
 * do. An interrupt counts as a request to end.
 */
final class Rest {

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition said = lock.newCondition();
    private boolean ended;
    private boolean woken;

    /** Ends this rest and all that would follow. */
    void end() {
        say(() -> ended = true);
    }

    /**
     * Ends a light rest: the one under way, else the next one, since what it is about may have come after the last
     * look.
     */
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

    /** As {@link #take(Duration, boolean)}, not to be woken. */
    boolean take(Duration duration) {
        return take(duration, false);
    }

    /**
     * Rests for that long.
     *
     * @param light whether {@link #wake} ends it
     * @return false, at once, if the thread is to end
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
