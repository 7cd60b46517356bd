package io.stagedjobs.enqueuer;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads of which exactly one runs at any moment: whoever runs says who is next. They stand for the coroutines that
 * Java 17 does not have. A thread whose task has ended is kept for the next one, over many simulations.
 */
final class Turns {

    /** One thread's place; written by whoever has the turn, and passed on with it. */
    static final class Seat {
        private Thread thread;
        private Runnable task;
        private volatile boolean turn;

        private void await() {
            while (!turn) {
                LockSupport.park(this);
            }
            turn = false;
        }

        private void give() {
            turn = true;
            LockSupport.unpark(thread);
        }
    }

    private final Deque<Seat> free = new ArrayDeque<>();

    /** A seat for the calling thread, which has the turn now. */
    Seat mine() {
        Seat seat = new Seat();
        seat.thread = Thread.currentThread();
        return seat;
    }

    /** A seat whose thread runs that task when it is given its first turn; the task ends with {@link #leave}. */
    Seat seat(Runnable task) {
        Seat seat = free.isEmpty() ? start() : free.pop();
        seat.task = task;
        return seat;
    }

    private Seat start() {
        Seat seat = new Seat();
        seat.thread = new Thread(
                () -> {
                    while (true) {
                        seat.await();
                        seat.task.run();
                    }
                },
                "simulated");
        seat.thread.setDaemon(true);
        seat.thread.start();
        return seat;
    }

    /** Gives the turn away and returns when it comes back. */
    void pass(Seat from, Seat to) {
        to.give();
        from.await();
    }

    /** Gives the turn away for good; the task returns right after it. */
    void leave(Seat from, Seat to) {
        free.push(from);
        to.give();
    }
}
