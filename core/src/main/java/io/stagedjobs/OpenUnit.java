package io.stagedjobs;

import java.sql.Connection;
import java.util.LinkedHashSet;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import org.jooq.Configuration;
import org.jooq.ConnectionProvider;
import org.jooq.DSLContext;
import org.jooq.ExecuteContext;
import org.jooq.ExecuteListener;
import org.jooq.impl.DataSourceConnectionProvider;
import org.jspecify.annotations.Nullable;

/**
 * The open transaction of one attempt of a unit of work: its connection, its savepoints, and the jobs that are written
 * just before COMMIT.
 *
 * <p>It is known to the thread that opened it until it is closed, so that another unit of the same source of
 * connections can join it instead of waiting for a second connection and committing by itself (decision 0018).
 */
final class OpenUnit implements AutoCloseable {

    /** The unit that was opened last on this thread; those of other sources that enclose it are linked behind it. */
    private static final ThreadLocal<@Nullable OpenUnit> INNERMOST = new ThreadLocal<>();

    private final Thread owner = Thread.currentThread();
    private final @Nullable OpenUnit enclosing = INNERMOST.get();
    private final PendingJobs pending = new PendingJobs();
    private final Set<WakeUp> wakeUps = new LinkedHashSet<>();

    private final Object source;
    private final @Nullable Isolation isolation;
    private final int attempt;
    private final ConnectionProvider connections;
    private final Connection connection;
    private final Connection guarded;
    private final DSLContext dsl;

    private @Nullable Exception conflict;
    private volatile boolean ended;

    /** What jOOQ gets its connection from in a unit. */
    private record Connections(Object source, Connection connection) implements ConnectionProvider {
        @Override
        public Connection acquire() {
            return connection;
        }

        @Override
        public void release(Connection released) {}
    }

    /**
     * Opens a unit in a transaction that has just begun.
     *
     * @param configuration what the transaction was opened with; unlike the transaction's own it leads to no connection
     *     yet
     * @param isolation what the unit asked for, null for the database's default
     */
    OpenUnit(Configuration configuration, Configuration transaction, @Nullable Isolation isolation, int attempt) {
        this.source = source(configuration);
        this.isolation = isolation;
        this.attempt = attempt;
        this.connections = transaction.connectionProvider();
        this.connection = Objects.requireNonNull(connections.acquire());
        this.guarded = UnitConnection.of(connection, pending, () -> requireOpen("use its connection"));
        // In this order: a provider that is bound to a thread lets nobody exchange its connections.
        this.dsl = configuration
                .derive()
                .set(new SavepointTransactions(guarded))
                .set(new Connections(source, guarded))
                .setAppending(new NoTransactionControl())
                .dsl();
        INNERMOST.set(this);
    }

    /** What stands for the place where connections come from: two units with the same one can share a transaction. */
    static Object source(Configuration configuration) {
        ConnectionProvider connections = configuration.connectionProvider();
        if (connections instanceof Connections ofUnit) {
            return ofUnit.source;
        }
        return connections instanceof DataSourceConnectionProvider ofDataSource
                ? ofDataSource.dataSource()
                : connections;
    }

    static @Nullable OpenUnit onThisThread(Object source) {
        OpenUnit unit = INNERMOST.get();
        while (unit != null && unit.source != source) {
            unit = unit.enclosing;
        }
        return unit;
    }

    static boolean anyOnThisThread() {
        return INNERMOST.get() != null;
    }

    DSLContext dsl() {
        return dsl;
    }

    Connection connection() {
        return guarded;
    }

    int attempt() {
        return attempt;
    }

    void stage(StagedJobs into, StagedJob job) {
        requireOpen("stage job \"" + job.name() + "\", which was not staged,");
        if (Thread.currentThread() != owner) {
            throw new IllegalStateException("cannot stage job \"" + job.name() + "\" from thread \""
                    + Thread.currentThread().getName() + "\": the unit of work belongs to thread \"" + owner.getName()
                    + "\". The job was not staged; stage it there.");
        }
        pending.add(into, into.traced(job));
    }

    int jobs() {
        return pending.size();
    }

    /**
     * Writes the pending jobs. PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and the driver says
     * nothing: a block that swallowed an SQL error would seem to have succeeded. Any statement tells; writing jobs is
     * one.
     */
    void writeJobs() {
        if (pending.size() == 0) {
            dsl.execute("SELECT 1");
        }
        pending.write(connection);
    }

    /** @throws IllegalStateException if a unit that asks for {@code wanted} would get less by joining this one */
    void requireIsolation(@Nullable Isolation wanted) {
        Isolation given = isolation == null ? Isolation.READ_COMMITTED : isolation;
        if (wanted != null && wanted.compareTo(given) > 0) {
            throw new IllegalStateException("cannot run a unit of work that asks for " + wanted.sql()
                    + " inside one that has " + given.sql() + (isolation == null ? " (it named none)" : "")
                    + ": it would share the outer unit's transaction. Nothing of it was run. Ask for " + wanted.sql()
                    + " in the outer unit.");
        }
    }

    /** Registers a wake-up to signal after the commit; a joined unit may add its own. */
    void waking(@Nullable WakeUp wakeUp) {
        if (wakeUp != null) {
            wakeUps.add(wakeUp);
        }
    }

    Set<WakeUp> wakeUps() {
        return wakeUps;
    }

    /** Keeps what a joined unit takes for a conflict, by its own rules: this unit is to be repeated for it. */
    void conflict(Exception failure) {
        conflict = failure;
    }

    boolean isConflict(Throwable failure) {
        for (Throwable t = failure; t != null; t = t.getCause()) {
            if (t == conflict) {
                return true;
            }
        }
        return false;
    }

    void requireOpen(String what) {
        if (ended) {
            throw new IllegalStateException("cannot " + what + " after the unit of work has ended: its transaction is"
                    + " over. Use Work only inside the block that it was given to.");
        }
    }

    @Override
    public void close() {
        ended = true;
        if (enclosing == null) {
            INNERMOST.remove();
        } else {
            INNERMOST.set(enclosing);
        }
        connections.release(connection);
    }

    /** Refuses the statements that jOOQ would send past it. Those that are sent by JDBC it does not see. */
    private static final class NoTransactionControl implements ExecuteListener {

        private static final Pattern STATEMENT = Pattern.compile(
                "\\s*(BEGIN|START\\s+TRANSACTION|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE"
                        + "|PREPARE\\s+TRANSACTION)\\b",
                Pattern.CASE_INSENSITIVE);

        @Override
        public void executeStart(ExecuteContext context) {
            String sql = context.sql();
            if (sql != null && STATEMENT.matcher(sql).lookingAt()) {
                throw new IllegalStateException("cannot run \"" + sql.strip()
                        + "\" in a unit of work: only the unit ends its transaction, and it would not learn which jobs"
                        + " are taken back. Throw an exception to roll everything back, or use a nested"
                        + " DSLContext.transaction(…) for a part.");
            }
        }
    }
}
