package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.Lanes.Reading;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The id up to which no further job can be committed. Every insert locks the table before it draws an id. So read a
 * sequence value, and the transactions that hold the lock then: once all of these are over, every job with an id up to
 * that value is visible, or never will be.
 *
 * <p>One transaction that stays open would hold that bound back for all lanes. So there is a second bound, which holds
 * except for a few old transactions. The lanes of a process share this object; thread-safe.
 *
 * <p>Transactions are identified by their virtual ids. If a session crashes and the others restart within the same era,
 * a new writer may get the id of an old one: this only delays the bound until the new writer is over.
 */
final class CommitHorizon {

    private static final Logger log = LoggerFactory.getLogger(CommitHorizon.class);

    private static final Duration LOOK_EVERY = Duration.ofMillis(100);

    /** A transaction that is open for longer than this becomes an exception. */
    private static final Duration OLD_AFTER = Duration.ofSeconds(1);

    /**
     * The current knowledge.
     *
     * @param era the era in which it is true
     * @param safeUpTo no job up to this id can be committed any more
     * @param safeUpToExcept no job up to this id either, except by {@code exceptions}; at least {@code safeUpTo}
     */
    record View(String era, long safeUpTo, long safeUpToExcept, Set<String> exceptions) {
        static final View NOTHING = new View("", 0, 0, Set.of());
    }

    /** A reading that waits for its open transactions to end; they leave the set one by one. */
    private record Pending(long lastId, Set<String> open, long since) {}

    private final Lanes lanes;
    private final LongSupplier nanoTime;
    private final ReentrantLock looking = new ReentrantLock();
    private final Deque<Pending> pending = new ArrayDeque<>();
    private volatile View view = View.NOTHING;
    private volatile long lookAt;

    CommitHorizon(Lanes lanes, LongSupplier nanoTime) {
        this.lanes = lanes;
        this.nanoTime = nanoTime;
        this.lookAt = nanoTime.getAsLong();
    }

    /** The result of the last look, however old: it stays true. */
    View known() {
        return view;
    }

    /**
     * Looks again if the last look is not fresh. One thread looks at a time; the others use the last view. If
     * PostgreSQL does not answer, the caller uses it too: an older view only makes reads begin lower.
     */
    View look() {
        if (nanoTime.getAsLong() - lookAt >= 0 && looking.tryLock()) {
            try {
                take(lanes.readHorizon());
            } catch (ExternalFailureException e) {
                log.debug("could not look how far ids are safe: {}", e.getMessage());
            } finally {
                lookAt = nanoTime.getAsLong() + LOOK_EVERY.toNanos();
                looking.unlock();
            }
        }
        return view;
    }

    private void take(Reading reading) {
        long safeUpTo = view.safeUpTo;
        if (!reading.era().equals(view.era)) {
            pending.clear();
            safeUpTo = 0;
        }
        Set<String> open = Set.copyOf(reading.writers());
        pending.forEach(earlier -> earlier.open.retainAll(open));
        pending.addLast(new Pending(reading.lastId(), new HashSet<>(open), nanoTime.getAsLong()));
        while (!pending.isEmpty() && pending.getFirst().open.isEmpty()) {
            safeUpTo = pending.removeFirst().lastId;
        }
        forgetSuperseded();
        view = withExceptions(reading.era(), safeUpTo);
    }

    /** Keeps only the newest of several readings that wait for the same transactions, with the age of the oldest. */
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

    private View withExceptions(String era, long safeUpTo) {
        Pending oldest = pending.peekFirst();
        return oldest != null && nanoTime.getAsLong() - oldest.since >= OLD_AFTER.toNanos()
                ? new View(era, safeUpTo, oldest.lastId, Set.copyOf(oldest.open))
                : new View(era, safeUpTo, safeUpTo, Set.of());
    }
}
