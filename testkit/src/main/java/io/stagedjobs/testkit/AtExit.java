package io.stagedjobs.testkit;

import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * Stops or deletes things when this JVM ends, unless that has happened before.
 *
 * <p>One shutdown hook runs the actions one after the other, the newest first, so that a server can stop before its
 * process is killed. The JVM's own hooks run concurrently, and the kill could come first. After SIGKILL nothing here
 * runs; servers that must not survive that watch their standard input.
 */
final class AtExit {

    private static final Deque<AtExit> ACTIONS = new ArrayDeque<>();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(AtExit::runAll, "testkit-at-exit"));
    }

    private final Runnable action;

    private AtExit(Runnable action) {
        this.action = action;
    }

    /** Registers an action; call {@link #cancel} on the result once it is no longer needed. */
    static AtExit run(Runnable action) {
        AtExit registered = new AtExit(action);
        synchronized (ACTIONS) {
            ACTIONS.push(registered);
        }
        return registered;
    }

    void cancel() {
        synchronized (ACTIONS) {
            ACTIONS.remove(this);
        }
    }

    private static void runAll() {
        for (AtExit next = pop(); next != null; next = pop()) {
            try {
                next.action.run();
            } catch (RuntimeException e) {
                // The logging library may be gone by now, and the other actions still have to run.
                System.err.println("testkit: could not clean up at exit: " + e);
            }
        }
    }

    private static @Nullable AtExit pop() {
        synchronized (ACTIONS) {
            return ACTIONS.poll();
        }
    }
}
