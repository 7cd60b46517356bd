package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.Lanes.Reading;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * Up to which id nothing can be committed any more. An id is drawn by a transaction that has locked the table before, as
 * every insert does: once all transactions that held the lock when a sequence value was read are over, whatever has an id up to
 * that value is visible or never will be.
 *
 * <p>One transaction that stays open holds that back for everybody. Therefore a second bound is kept, which holds with the
 * exception of a few old transactions. Shared by the lanes of a process; any thread.
 */
final class Horizon {

    private static final Duration LOOK_EVERY = Duration.ofMillis(100);

    /** A transaction that is open for longer becomes an exception. */
    private static final Duration OLD_AFTER = Duration.ofSeconds(1);

    /**
     * What is known.
     *
     * @param era in which it is true
     * @param settled nothing up to this id can be committed any more
     * @param settledExcept nor up to this one, but by the exceptions; at least {@code settled}
     */
    record View(String era, long settled, long settledExcept, Set<String> exceptions) {
        static final View NOTHING = new View("", 0, 0, Set.of());
    }

    /** A reading that waits until the transactions that were open are over; they leave the set one by one. */
    private record Pending(long lastId, Set<String> open, long since) {}

    private final Lanes lanes;
    private final LongSupplier nanoTime;
    private final ReentrantLock looking = new ReentrantLock();
    private final Deque<Pending> pending = new ArrayDeque<>();
    private volatile View view = View.NOTHING;
    private volatile long lookAt;

    Horizon(Lanes lanes, LongSupplier nanoTime) {
        this.lanes = lanes;
        this.nanoTime = nanoTime;
        this.lookAt = nanoTime.getAsLong();
    }

    /** Looks again if the last look is not fresh; one thread at a time, the others go on with what is known. */
    View look() {
        if (nanoTime.getAsLong() - lookAt >= 0 && looking.tryLock()) {
            try {
                take(lanes.readHorizon());
            } finally {
                lookAt = nanoTime.getAsLong() + LOOK_EVERY.toNanos();
                looking.unlock();
            }
        }
        return view;
    }

    private void take(Reading reading) {
        long settled = view.settled;
        if (!reading.era().equals(view.era)) {
            pending.clear();
            settled = 0;
        }
        Set<String> open = Set.copyOf(reading.writers());
        pending.forEach(earlier -> earlier.open.retainAll(open));
        pending.addLast(new Pending(reading.lastId(), new HashSet<>(open), nanoTime.getAsLong()));
        while (!pending.isEmpty() && pending.getFirst().open.isEmpty()) {
            settled = pending.removeFirst().lastId;
        }
        forgetSuperseded();
        view = withExceptions(reading.era(), settled);
    }

    /** Of readings that wait for the same transactions the last one says it all; the first one's age counts. */
    private void forgetSuperseded() {
        Deque<Pending> kept = new ArrayDeque<>();
        for (Pending next : pending) {
            if (!kept.isEmpty() && kept.getLast().open.equals(next.open)) {
                next = new Pending(next.lastId, next.open, kept.removeLast().since);
            }
            kept.addLast(next);
        }
        pending.clear();
        pending.addAll(kept);
    }

    private View withExceptions(String era, long settled) {
        Iterator<Pending> waiting = pending.iterator();
        if (!waiting.hasNext()) {
            return new View(era, settled, settled, Set.of());
        }
        Pending oldest = waiting.next();
        boolean old = nanoTime.getAsLong() - oldest.since >= OLD_AFTER.toNanos();
        return old
                ? new View(era, settled, oldest.lastId, Set.copyOf(oldest.open))
                : new View(era, settled, settled, Set.of());
    }
}
