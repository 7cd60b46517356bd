package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.BackgroundThreads;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.schema.Schema;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;

/**
 * Finds the sessions that keep our statements waiting for a lock. It must ask during the wait: once the statement has
 * given up, PostgreSQL no longer knows the sessions that blocked it.
 */
final class Blockers {

    /** A part of the five seconds that a statement waits at most. Most waits end long before. */
    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);

    private static final Duration IDLE_THREAD_MAX = Duration.ofSeconds(10);
    private static final String LOCK_NOT_AVAILABLE = "55P03";
    private static final NamedSql BLOCKERS = NamedSql.load(Schema.PUBLIC, "blockers"); // it names no table of a schema

    private final Supplier<OpenTransaction> transactions;
    private final String sessions;
    private final Set<Watch> open = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean ticking = new AtomicBoolean();
    private final ScheduledThreadPoolExecutor clock;

    /**
     * @param transactions runs the question
     * @param sessions the prefix of the waiting sessions' application_name
     */
    Blockers(Supplier<OpenTransaction> transactions, String sessions) {
        this.transactions = transactions;
        this.sessions = sessions;
        this.clock = new ScheduledThreadPoolExecutor(1, BackgroundThreads.daemons("blockers"));
        clock.setKeepAliveTime(IDLE_THREAD_MAX.toMillis(), TimeUnit.MILLISECONDS);
        clock.allowCoreThreadTimeOut(true);
    }

    /** Runs work that may wait for a lock; its failure names the sessions that blocked it. */
    <T extends @Nullable Object> T named(Supplier<T> work) {
        Watch watch = new Watch();
        open.add(watch);
        tickSoon();
        try {
            return work.get();
        } catch (ExternalFailureException e) {
            String blockers = watch.blockers;
            boolean gaveUp = e.getCause() != null
                    && Transactions.said(e.getCause()) instanceof SQLException said
                    && LOCK_NOT_AVAILABLE.equals(said.getSQLState());
            throw gaveUp && blockers != null
                    ? new ExternalFailureException(
                            e.origin(), e.getMessage() + "; blocked by " + blockers, e.getCause())
                    : e;
        } finally {
            open.remove(watch);
        }
    }

    /** The clock ticks while any statement may wait; most end between two ticks. */
    @SuppressWarnings("FutureReturnValueIgnored") // if a tick fails, only a name in a message is missing
    private void tickSoon() {
        if (ticking.compareAndSet(false, true)) {
            clock.schedule(this::tick, LOOK_EVERY.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private void tick() {
        open.forEach(this::look);
        ticking.set(false);
        if (!open.isEmpty()) {
            tickSoon();
        }
    }

    private void look(Watch watch) {
        String found = watch.seen ? ask() : null;
        watch.seen = true;
        if (found != null) {
            watch.blockers = found;
        }
    }

    private @Nullable String ask() {
        try (OpenTransaction transaction = transactions.get()) {
            return transaction.ask("find the blocking sessions", dsl -> of(dsl, sessions));
        } catch (RuntimeException unanswered) {
            return null; // the statement's own failure is reported anyway
        }
    }

    /** The sessions that block those with this prefix of application_name; null if there are none. */
    static @Nullable String of(DSLContext dsl, String sessions) {
        return BLOCKERS.query(dsl, Map.of("sessions", sessions)).fetchSingle().get("blockers", String.class);
    }

    /** What is known about one statement that may wait. One thread waits, the clock's thread looks. */
    private static final class Watch {
        private boolean seen;
        private volatile @Nullable String blockers;
    }
}
