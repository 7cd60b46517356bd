package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.OutsideException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.Supplier;
import javax.sql.DataSource;
import org.jooq.Configuration;
import org.jooq.DSLContext;
import org.jooq.ExecuteListenerProvider;
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

    private static final String PIN = "; SET LOCAL search_path = " + SEARCH_PATH;

    private static final Settings JOOQ = new Settings().withExecuteLogging(false);
    private static final Configuration UNWATCHED =
            new DefaultConfiguration().set(SQLDialect.POSTGRES).set(JOOQ);

    static final String APPLICATION_NAME_PREFIX = "staged-jobs ";

    private final DataSource dataSource;
    private final String name;
    private final String prelude;
    private final Configuration watched;

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
        Blockers blockers = new Blockers(this::beginUnwatched);
        this.watched = UNWATCHED.derive((ExecuteListenerProvider) blockers::listener);
        // spotless:off
        this.prelude = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;"
                + "SET LOCAL application_name = '" + name + "';"
                + "SET LOCAL synchronous_commit = on;"     // a deletion that Kafka relies on must survive a crash
                + "SET LOCAL lock_timeout = '5s';"
                + "SET LOCAL statement_timeout = '20s';"
                + "SET LOCAL idle_in_transaction_session_timeout = '" + (3 * publishTimeout.toMillis() + 10_000) + "ms';"
                // Statistics of an empty table must not decide how a million rows are read: the primary key, always.
                + "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;"
                + "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off";
        // spotless:on
    }

    /** An open transaction of ours; close rolls back what was not committed. */
    static final class Open implements AutoCloseable {
        private final Connection connection;
        private final DSLContext dsl;

        private Open(Connection connection, Configuration configuration) {
            this.connection = connection;
            this.dsl = DSL.using(configuration.derive(new DefaultConnectionProvider(connection)));
        }

        DSLContext dsl() {
            return dsl;
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
            try (connection) {
                connection.rollback();
            } catch (SQLException broken) {
                // nothing is left to do for this transaction
            }
        }
    }

    Open begin() {
        return begin(watched, prelude);
    }

    /** As {@link #begin()}; pg_stat_activity also says for which lane. */
    Open begin(int lane) {
        return begin(watched, prelude + "; SET LOCAL application_name = '" + name + " lane " + lane + "'");
    }

    private Open beginUnwatched() {
        return begin(UNWATCHED, prelude);
    }

    private Open begin(Configuration configuration, String prelude) {
        Connection connection = null;
        try {
            connection = dataSource.getConnection();
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.execute(isPinned(connection) ? prelude : prelude + PIN);
            }
            return new Open(connection, configuration);
        } catch (SQLException e) {
            OutsideException failure = outside("open a transaction", e);
            if (connection != null) {
                new Open(connection, configuration).close();
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
            T result = work.apply(transaction.dsl());
            transaction.commit();
            return result;
        } catch (DataAccessException e) {
            throw outside(what, e);
        }
    }

    /** Runs a question to PostgreSQL; what it refuses is thrown as ours. */
    static <T extends @Nullable Object> T asked(String what, Supplier<T> question) {
        try {
            return question.get();
        } catch (DataAccessException e) {
            throw outside(what, e);
        }
    }

    /** One line: what PostgreSQL refused, its words and its SQLSTATE. */
    static OutsideException outside(String what, Exception e) {
        Throwable said = e instanceof DataAccessException && e.getCause() != null ? e.getCause() : e;
        String state = said instanceof SQLException sql && sql.getSQLState() != null
                ? " (SQLSTATE " + sql.getSQLState() + ")"
                : "";
        String words = String.valueOf(said.getMessage()).replaceAll("\\s*\\R\\s*", " ");
        if (said.getCause() instanceof SQLException why) { // the pool only says that it has no connection
            words += ": " + String.valueOf(why.getMessage()).replaceAll("\\s*\\R\\s*", " ");
        }
        return new OutsideException(
                OutsideException.Side.POSTGRESQL, "PostgreSQL could not " + what + state + ": " + words, e);
    }
}
