package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.BackgroundThreads;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.time.Duration;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.Supplier;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/** Opens the enqueuer's transactions, on connections of a pool. */
final class Transactions {

    private final DataSource dataSource;
    private final String name;
    private final SessionSettings settings;
    private final Blockers blockers;
    private final BackgroundThreads threads = new BackgroundThreads("deletion");

    /**
     * Opens transactions on connections of {@code dataSource}.
     *
     * @param enqueuer their owner: it is part of their name in pg_stat_activity, where an enqueuer that takes over from
     *     a stopped process finds it
     * @param publishTimeout how long a batch may wait for Kafka
     */
    Transactions(DataSource dataSource, UUID enqueuer, Duration publishTimeout) {
        this.dataSource = dataSource;
        this.name = "staged-jobs " + enqueuer; // end-orphans.sql and other-roles.sql look for it
        this.settings = new SessionSettings(publishTimeout);
        this.blockers = new Blockers(this::begin, name);
    }

    /** Runs work on a transaction whose own thread does not use it until the work is done. */
    <T> Supplier<T> start(Supplier<T> work) {
        return threads.start(work);
    }

    OpenTransaction begin() {
        return begin(name);
    }

    /** As {@link #begin()}; pg_stat_activity also shows the lane. */
    OpenTransaction begin(int lane) {
        return begin(name + " lane " + lane);
    }

    private OpenTransaction begin(String applicationName) {
        Connection connection = null;
        try {
            connection = dataSource.getConnection();
            connection.setAutoCommit(false);
            return new OpenTransaction(connection, settings.prelude(connection, applicationName));
        } catch (SQLException e) {
            ExternalFailureException failure = outside("open a transaction", e);
            if (connection != null) {
                new OpenTransaction(connection, Prelude.NONE).close();
            }
            throw failure;
        }
    }

    /** Runs {@code work} in one transaction, committed at its end and rolled back if it throws. */
    <T extends @Nullable Object> T call(String what, Function<DSLContext, T> work) {
        try (OpenTransaction transaction = begin()) {
            T result = transaction.ask(what, work);
            transaction.commit();
            return result;
        }
    }

    /** Runs work that may wait for a lock; its failure names the sessions that blocked it. */
    <T extends @Nullable Object> T waiting(Supplier<T> work) {
        return blockers.named(work);
    }

    /**
     * Runs work in a short transaction of its own, on a connection in autocommit mode.
     *
     * @param characteristics of the transaction, for SET TRANSACTION
     * @param patience how long a statement may take
     * @param lockedMax how long a statement may wait for a lock
     */
    static <T> T briefly(
            DSLContext dsl,
            String what,
            String characteristics,
            Duration patience,
            Duration lockedMax,
            Function<DSLContext, T> work) {
        return asked(
                what,
                () -> dsl.transactionResult(configuration -> {
                    DSLContext brief = configuration.dsl();
                    brief.execute("SET TRANSACTION " + characteristics);
                    brief.execute("SET LOCAL statement_timeout = " + patience.toMillis());
                    brief.execute("SET LOCAL lock_timeout = " + lockedMax.toMillis());
                    return work.apply(brief);
                }));
    }

    /** Runs a query outside our transactions, and throws PostgreSQL's errors as ours. */
    static <T extends @Nullable Object> T asked(String what, Supplier<T> question) {
        try {
            return question.get();
        } catch (DataAccessException e) {
            throw outside(what, e);
        }
    }

    /** One line: the failed action, PostgreSQL's message and its SQLSTATE. */
    static ExternalFailureException outside(String what, Exception e) {
        Throwable said = said(e);
        if (said instanceof SQLTransientConnectionException && said.getCause() instanceof SQLException why) {
            said = why; // the pool only says that it has no connection; this is the error of the last attempt
        }
        String state = said instanceof SQLException sql && sql.getSQLState() != null
                ? " (SQLSTATE " + sql.getSQLState() + ")"
                : "";
        String words = String.valueOf(said.getMessage()).replaceAll("\\s*\\R\\s*", " ");
        return new ExternalFailureException(
                Origin.POSTGRESQL, "PostgreSQL could not " + what + state + ": " + words, e);
    }

    /** The driver's exception, without jOOQ's wrapping. */
    static Throwable said(Throwable e) {
        return e instanceof DataAccessException && e.getCause() != null ? e.getCause() : e;
    }
}
