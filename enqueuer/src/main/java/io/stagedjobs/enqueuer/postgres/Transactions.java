package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.OutsideException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.Supplier;
import javax.sql.DataSource;
import org.jooq.Configuration;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.conf.Settings;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.DefaultConfiguration;
import org.jooq.impl.DefaultConnectionProvider;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;

/**
 * Opens the enqueuer's transactions. What they rely on is set inside each of them ({@code SET LOCAL}), so that it holds
 * behind a pooler in transaction mode and whatever the role's defaults are.
 */
final class Transactions {

    /** Every other name is qualified. */
    static final String SEARCH_PATH = "pg_catalog";

    private static final Configuration JOOQ =
            new DefaultConfiguration().set(SQLDialect.POSTGRES).set(new Settings().withExecuteLogging(false));

    static final String APPLICATION_NAME_PREFIX = "staged-jobs ";

    /** SET TRANSACTION, and the SELECT that sets the rest. */
    private static final int STATEMENTS_OF_PRELUDE = 2;

    private final DataSource dataSource;
    private final String name;
    private final String prelude;
    private final Blockers blockers;

    /**
     * Opens transactions on connections of {@code dataSource}.
     *
     * @param enqueuer whose they are: their name in pg_stat_activity says so, for whoever takes over from a stopped process
     * @param publishTimeout how long a batch may wait for Kafka: PostgreSQL ends a transaction of ours that stays idle for
     *     much longer, which happens only to a stopped process
     */
    Transactions(DataSource dataSource, UUID enqueuer, Duration publishTimeout) {
        this.dataSource = dataSource;
        this.name = APPLICATION_NAME_PREFIX + enqueuer;
        // One text for all transactions, so that it is parsed and planned once for each connection.
        // spotless:off
        this.prelude = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; SELECT pg_catalog.set_config('application_name', ?, true)"
                + local("synchronous_commit", "on")     // a deletion that Kafka relies on must survive a crash
                + local("lock_timeout", "5s")
                + local("statement_timeout", "20s")
                + local("idle_in_transaction_session_timeout", (3 * publishTimeout.toMillis() + 10_000) + "ms")
                // Statistics of an empty table must not decide how a million rows are read: the primary key, always.
                + local("enable_seqscan", "off") + local("enable_bitmapscan", "off")
                + local("enable_hashjoin", "off") + local("enable_mergejoin", "off") + local("jit", "off");
        // spotless:on
        this.blockers = new Blockers(() -> begin(null, name));
    }

    private static String local(String setting, String value) {
        return ", pg_catalog.set_config('" + setting + "', '" + value + "', true)";
    }

    /** Reads the rows of an answer. */
    interface Rows<T extends @Nullable Object> {
        T read(ResultSet rows) throws SQLException;
    }

    /** An open transaction of ours; close rolls back what was not committed. Belongs to one thread. */
    static final class Open implements AutoCloseable {
        private final Connection connection;
        private final Blockers.@Nullable Watch watch;
        private final String applicationName;
        /** Travels with the first statement; null once it has. */
        private @Nullable String prelude;

        private @Nullable DSLContext dsl;

        private Open(Connection connection, Blockers.@Nullable Watch watch, String prelude, String applicationName) {
            this.connection = connection;
            this.watch = watch;
            this.prelude = prelude;
            this.applicationName = applicationName;
        }

        private DSLContext dsl() {
            if (dsl == null) {
                dsl = DSL.using(JOOQ.derive(new DefaultConnectionProvider(connection)));
            }
            return dsl;
        }

        /** The release of PostgreSQL, for instance 18. */
        int release() {
            try {
                return connection.getMetaData().getDatabaseMajorVersion();
            } catch (SQLException e) {
                throw outside("tell its release", e);
            }
        }

        /** Runs statements; what PostgreSQL refuses is thrown as ours, with the names of those who kept it waiting. */
        <T extends @Nullable Object> T ask(String what, Function<DSLContext, T> question) {
            begins();
            try {
                sendPrelude();
                return question.apply(dsl());
            } catch (DataAccessException e) {
                throw named(what, e, e.getCause());
            } catch (SQLException e) {
                throw named(what, e, e);
            } finally {
                ends();
            }
        }

        /**
         * As {@link #ask}, one statement of every batch, without what jOOQ costs for each row. What follows it in the text is
         * run too, in the same message to the server.
         */
        <T extends @Nullable Object> T query(String what, String sql, Rows<T> rows, Object... bindings) {
            begins();
            int ofPrelude = prelude == null ? 0 : STATEMENTS_OF_PRELUDE;
            try (PreparedStatement statement = prepared(sql, bindings)) {
                statement.execute();
                for (int i = 0; i < ofPrelude; i++) {
                    statement.getMoreResults();
                }
                return rows.read(statement.getResultSet());
            } catch (SQLException e) {
                throw named(what, e, e);
            } finally {
                ends();
            }
        }

        /** As {@link #query}, for a statement that answers with a number of rows. */
        int update(String what, String sql, Object... bindings) {
            begins();
            try {
                sendPrelude();
                try (PreparedStatement statement = prepared(sql, bindings)) {
                    return statement.executeUpdate();
                }
            } catch (SQLException e) {
                throw named(what, e, e);
            } finally {
                ends();
            }
        }

        private void sendPrelude() throws SQLException {
            if (prelude != null) {
                try (PreparedStatement statement = connection.prepareStatement(prelude)) {
                    statement.setString(1, applicationName);
                    statement.execute();
                }
                prelude = null;
            }
        }

        private PreparedStatement prepared(String sql, Object... bindings) throws SQLException {
            PreparedStatement statement = connection.prepareStatement(prelude == null ? sql : prelude + "; " + sql);
            int parameter = 1;
            if (prelude != null) {
                statement.setString(parameter++, applicationName);
                prelude = null;
            }
            for (Object binding : bindings) {
                statement.setObject(parameter++, binding);
            }
            return statement;
        }

        private void begins() {
            if (watch != null) {
                watch.statementBegins();
            }
        }

        private void ends() {
            if (watch != null) {
                watch.statementEnds();
            }
        }

        private OutsideException named(String what, Exception failure, @Nullable Throwable said) {
            String blockers = watch != null && said instanceof SQLException sql ? watch.blockers(sql) : null;
            return outside(what, failure, blockers == null ? "" : "; blocked by " + blockers);
        }

        /** Commits; if this throws, whether it took effect is unknown. */
        void commit() {
            try {
                connection.commit();
            } catch (SQLException e) {
                throw outside("COMMIT", e);
            }
        }

        /** Rolls back, a no-op after a commit, and gives the connection back. */
        @Override
        @SuppressWarnings("EmptyCatch") // the pool drops a broken connection, and PostgreSQL rolls it back
        public void close() {
            if (watch != null) {
                watch.close();
            }
            try (connection) {
                connection.rollback();
            } catch (SQLException broken) {
                // nothing is left to do for this transaction
            }
        }
    }

    Open begin() {
        return begin(blockers, name);
    }

    /** As {@link #begin()}; pg_stat_activity also says for which lane. */
    Open begin(int lane) {
        return begin(blockers, name + " lane " + lane);
    }

    private Open begin(@Nullable Blockers blockers, String applicationName) {
        Connection connection = null;
        try {
            connection = dataSource.getConnection();
            connection.setAutoCommit(false);
            String sql = isPinned(connection) ? prelude : prelude + local("search_path", SEARCH_PATH);
            return new Open(connection, blockers == null ? null : blockers.watch(), sql, applicationName);
        } catch (SQLException e) {
            OutsideException failure = outside("open a transaction", e);
            if (connection != null) {
                new Open(connection, null, prelude, applicationName).close();
            }
            throw failure;
        }
    }

    /** Known from PostgreSQL 18 on, which tells it. */
    private static boolean isPinned(Connection connection) throws SQLException {
        return SEARCH_PATH.equals(connection.unwrap(PGConnection.class).getParameterStatus("search_path"));
    }

    /** Runs {@code work} in one transaction, committed at its end and rolled back if it throws. */
    <T extends @Nullable Object> T call(String what, Function<DSLContext, T> work) {
        try (Open transaction = begin()) {
            T result = transaction.ask(what, work);
            transaction.commit();
            return result;
        }
    }

    /** Runs a question to PostgreSQL outside our transactions; what it refuses is thrown as ours. */
    static <T extends @Nullable Object> T asked(String what, Supplier<T> question) {
        try {
            return question.get();
        } catch (DataAccessException e) {
            throw outside(what, e);
        }
    }

    /** One line: what PostgreSQL refused, its words and its SQLSTATE. */
    static OutsideException outside(String what, Exception e) {
        return outside(what, e, "");
    }

    private static OutsideException outside(String what, Exception e, String more) {
        Throwable said = e instanceof DataAccessException && e.getCause() != null ? e.getCause() : e;
        String state = said instanceof SQLException sql && sql.getSQLState() != null
                ? " (SQLSTATE " + sql.getSQLState() + ")"
                : "";
        String words = String.valueOf(said.getMessage()).replaceAll("\\s*\\R\\s*", " ");
        if (said.getCause() instanceof SQLException why) { // the pool only says that it has no connection
            words += ": " + String.valueOf(why.getMessage()).replaceAll("\\s*\\R\\s*", " ");
        }
        return new OutsideException(
                OutsideException.Side.POSTGRESQL, "PostgreSQL could not " + what + state + ": " + words + more, e);
    }
}
