package io.stagedjobs.enqueuer.postgres;

import java.sql.SQLException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Names the sessions that keep our statements waiting for a lock. They have to be asked for meanwhile: once the statement
 * has given up, PostgreSQL knows no more whom it waited for.
 */
final class Blockers {

    /** Of the five seconds that a statement waits at most. Most transactions end long before. */
    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);

    private static final Duration IDLE_THREAD_MAX = Duration.ofSeconds(10);
    private static final String LOCK_NOT_AVAILABLE = "55P03";

    // Locks nothing. Others' states are shown to a member of pg_read_all_stats only, their names to everybody.
    // A prepared transaction has no session, and counts as process 0.
    private static final String BLOCKERS = "SELECT string_agg(DISTINCT CASE p.pid WHEN 0 THEN 'a prepared transaction'"
            + " ELSE 'pid ' || p.pid || ' (' || coalesce(nullif(b.application_name, ''), 'no application_name')"
            + " || coalesce(', ' || b.state, '') || ')' END, ', ')"
            + " FROM pg_stat_activity AS a CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS p (pid)"
            + " LEFT JOIN pg_stat_activity AS b ON b.pid = p.pid"
            + " WHERE a.application_name LIKE current_setting('application_name') || '%' AND a.wait_event_type = 'Lock'"
            + " AND coalesce(b.application_name, '') NOT LIKE current_setting('application_name') || '%'";

    private final Supplier<Transactions.Open> transactions;
    private final Set<Watch> open = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean ticking = new AtomicBoolean();
    private final ScheduledThreadPoolExecutor clock;

    /** @param transactions for the question; one that is not waiting itself */
    Blockers(Supplier<Transactions.Open> transactions) {
        this.transactions = transactions;
        this.clock = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "blockers");
            thread.setDaemon(true);
            return thread;
        });
        clock.setKeepAliveTime(IDLE_THREAD_MAX.toMillis(), TimeUnit.MILLISECONDS);
        clock.allowCoreThreadTimeOut(true);
    }

    /** Watches one transaction until it is closed. */
    Watch watch() {
        Watch watch = new Watch();
        open.add(watch);
        tickSoon();
        return watch;
    }

    /** The clock ticks while transactions are open; most end between two ticks. */
    @SuppressWarnings("FutureReturnValueIgnored") // a tick that fails costs a name in a message
    private void tickSoon() {
        if (ticking.compareAndSet(false, true)) {
            clock.schedule(this::tick, LOOK_EVERY.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private void tick() {
        open.forEach(Watch::look);
        ticking.set(false);
        if (!open.isEmpty()) {
            tickSoon();
        }
    }

    private @Nullable String ask() {
        try (Transactions.Open transaction = transactions.get()) {
            return transaction.ask(
                    "look who blocks", dsl -> dsl.fetchSingle(BLOCKERS).get(0, String.class));
        } catch (RuntimeException unanswered) {
            return null; // the statement's own failure is told anyhow
        }
    }

    /** Looks now and then while a statement runs. One thread begins and ends the statements; the clock's thread looks. */
    final class Watch implements AutoCloseable {
        private volatile boolean running;
        private boolean wasRunning;
        private volatile @Nullable String blockers;

        private void look() {
            String found = running && wasRunning ? ask() : null;
            wasRunning = running;
            if (found != null) {
                blockers = found;
            }
        }

        void statementBegins() {
            blockers = null;
            running = true;
        }

        void statementEnds() {
            running = false;
        }

        /** Whom the last statement waited for until it gave up, null if for nobody. */
        @Nullable
        String blockers(SQLException failure) {
            return LOCK_NOT_AVAILABLE.equals(failure.getSQLState()) ? blockers : null;
        }

        @Override
        public void close() {
            open.remove(this);
        }
    }
}
