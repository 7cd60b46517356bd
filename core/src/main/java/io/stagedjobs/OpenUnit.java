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
 * The open transaction of one attempt of a unit of work: its connection, its savepoints, and the jobs to be written
 * just before COMMIT.
 *
 * <p>The opening thread knows it until it is closed. Another unit of the same source of connections can then join it,
 * instead of waiting for a second connection and committing by itself (decision 0018).
 */
final class OpenUnit implements AutoCloseable {

    /** The unit opened last on this thread; it links to the enclosing units of other sources. */
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

    /** The source of jOOQ's connection in a unit. */
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
     * @param configuration the configuration that opened the transaction; unlike the transaction's own it leads to no
     *     connection yet
     * @param isolation the level that the unit asked for, null for the database's default
     */
    OpenUnit(Configuration configuration, Configuration transaction, @Nullable Isolation isolation, int attempt) {
        this.source = source(configuration);
        this.isolation = isolation;
        this.attempt = attempt;
        this.connections = transaction.connectionProvider();
        this.connection = Objects.requireNonNull(connections.acquire());
        this.guarded = UnitConnection.of(connection, pending, () -> requireOpen("use its connection"));
        // In this order: a thread-bound provider does not let its connections be exchanged.
        this.dsl = configuration
                .derive()
                .set(new SavepointTransactions(guarded))
                .set(new Connections(source, guarded))
                .setAppending(new NoTransactionControl())
                .dsl();
        INNERMOST.set(this);
    }

    /** Identifies the source of connections: two units with the same one can share a transaction. */
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
     * Writes the pending jobs. PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and the driver does not
     * report it: a block that swallowed an SQL error would seem to have succeeded. Any statement reveals the failure,
     * including this one.
     */
    void writeJobs() {
        if (pending.size() == 0) {
            dsl.execute("SELECT 1");
        }
        pending.write(connection);
    }

    /** @throws IllegalStateException if this unit's isolation is weaker than {@code wanted} */
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

    /** Stores a failure that a joined unit, by its own rules, takes for a conflict: it makes this unit repeat. */
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

    /** Refuses statements of jOOQ that would bypass the unit. It does not see those sent by JDBC. */
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
                        + " were rolled back. Throw an exception to roll everything back, or use a nested"
                        + " DSLContext.transaction(…) for a part.");
            }
        }
    }
}
