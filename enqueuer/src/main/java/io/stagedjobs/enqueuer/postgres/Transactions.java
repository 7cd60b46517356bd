package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.BackgroundThreads;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.sql.Savepoint;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.WeakHashMap;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
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
 * Opens the enqueuer's transactions. What they rely on, whatever the role's defaults are, is the session's from its beginning
 * where the connection is direct. Behind a pooler, which shares sessions, it is set inside each transaction ({@code SET
 * LOCAL}).
 */
final class Transactions {

    /** Every other name is qualified. */
    static final String SEARCH_PATH = "pg_catalog";

    private static final Configuration JOOQ =
            new DefaultConfiguration().set(SQLDialect.POSTGRES).set(new Settings().withExecuteLogging(false));

    static final String APPLICATION_NAME_PREFIX = "staged-jobs ";

    /** Set for a session when it begins, by {@link Database#open}: a connection that has it needs no prelude. */
    private static final String PINNED = "staged_jobs.pinned";

    /** What all transactions rely on, whatever the role's defaults are. */
    private static final Map<String, String> RELIED_ON = new TreeMap<>(Map.of(
            "synchronous_commit", "on", // a deletion that Kafka relies on must survive a crash
            "lock_timeout", "5s",
            "statement_timeout", "20s",
            // Statistics of an empty table must not decide how a million rows are read: the primary key, always.
            "enable_seqscan", "off",
            "enable_bitmapscan", "off",
            "enable_hashjoin", "off",
            "enable_mergejoin", "off",
            "jit", "off"));

    /** A release of PostgreSQL, the first whose pg_logical_emit_message can flush. */
    private static final int FLUSHES_MESSAGES_SINCE = 17;

    private final DataSource dataSource;
    private final String name;
    private final String settings;
    private final Blockers blockers;
    private final BackgroundThreads threads = new BackgroundThreads("deletion");

    /** By physical connection, whether its session was pinned; a pooler between may have dropped what it was to begin with. */
    private final Map<PGConnection, Boolean> pinned = Collections.synchronizedMap(new WeakHashMap<>());

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
        this.settings = reliedOn(publishTimeout).entrySet().stream()
                .map(setting -> local(setting.getKey(), setting.getValue()))
                .collect(Collectors.joining());
        this.blockers = new Blockers(() -> begin(null, name));
    }

    private static Map<String, String> reliedOn(Duration publishTimeout) {
        Map<String, String> all = new TreeMap<>(RELIED_ON);
        all.put("idle_in_transaction_session_timeout", (3 * publishTimeout.toMillis() + 10_000) + "ms");
        return all;
    }

    /**
     * The startup options by which a session has from its beginning what transactions rely on. A pooler may refuse them, or
     * drop them without a word: the last one tells.
     */
    static String sessionOptions(Duration publishTimeout) {
        StringBuilder options = new StringBuilder();
        reliedOn(publishTimeout).forEach((setting, value) -> options.append("-c ")
                .append(setting)
                .append('=')
                .append(value)
                .append(' '));
        return options + "-c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off"
                + " -c search_path=" + SEARCH_PATH + " -c " + PINNED + "=on";
    }

    private static String local(String setting, String value) {
        return ", pg_catalog.set_config('" + setting + "', '" + value + "', true)";
    }

    /** Reads the rows of an answer. */
    interface Rows<T extends @Nullable Object> {
        T read(ResultSet rows) throws SQLException;
    }

    /** Reads several answers to one message, in the order of its statements. */
    interface Answers<T extends @Nullable Object> {
        T read(Next next) throws SQLException;
    }

    /** Goes from one answer to the next. */
    interface Next {

        /** The rows of the next statement. */
        ResultSet rows() throws SQLException;
    }

    /** What travels with the first statement of a transaction; empty if the session has it all. */
    private record Prelude(String sql, int statements, List<String> bindings) {
        static final Prelude NONE = new Prelude("", 0, List.of());
    }

    /** An open transaction of ours; close rolls back what was not committed. Used by one thread at a time. */
    static final class Open implements AutoCloseable {
        private final Connection connection;
        private final Blockers.@Nullable Watch watch;
        private Prelude prelude;
        private @Nullable DSLContext dsl;

        private Open(Connection connection, Blockers.@Nullable Watch watch, Prelude prelude) {
            this.connection = connection;
            this.watch = watch;
            this.prelude = prelude;
        }

        private DSLContext dsl() {
            if (dsl == null) {
                dsl = DSL.using(JOOQ.derive(new DefaultConnectionProvider(connection)));
            }
            return dsl;
        }

        /** Whether PostgreSQL can put its log on disk by the message that reads. */
        boolean flushesWithRead() {
            try {
                return connection.getMetaData().getDatabaseMajorVersion() >= FLUSHES_MESSAGES_SINCE;
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

        /** As {@link #ask}, for what every batch asks, without what jOOQ costs for each row. */
        <T extends @Nullable Object> T query(String what, String sql, Rows<T> rows, Object... bindings) {
            return queries(what, sql, next -> rows.read(next.rows()), bindings);
        }

        /** Several statements in one message to the server; each sees what those before it have done. */
        <T extends @Nullable Object> T queries(String what, String sql, Answers<T> answers, Object... bindings) {
            begins();
            int skip = prelude.statements;
            try (PreparedStatement statement = prepared(sql, bindings)) {
                statement.execute();
                for (int i = 0; i < skip; i++) {
                    statement.getMoreResults();
                }
                return answers.read(new RowsOf(statement));
            } catch (SQLException e) {
                throw named(what, e, e);
            } finally {
                ends();
            }
        }

        /** As {@link #queries}, for statements the first of which answers with a number of rows. */
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
            if (prelude.statements > 0) {
                prepared("").execute();
            }
        }

        private PreparedStatement prepared(String sql, Object... bindings) throws SQLException {
            PreparedStatement statement = connection.prepareStatement(prelude.sql + sql);
            int parameter = 1;
            for (String binding : prelude.bindings) {
                statement.setString(parameter++, binding);
            }
            prelude = Prelude.NONE;
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

        private ExternalFailureException named(String what, Exception failure, @Nullable Throwable said) {
            String blockers = watch != null && said instanceof SQLException sql ? watch.blockers(sql) : null;
            return outside(what, failure, blockers == null ? "" : "; blocked by " + blockers);
        }

        /** A point to which {@link #backTo} takes the transaction back. */
        Savepoint savepoint() {
            try {
                return connection.setSavepoint();
            } catch (SQLException e) {
                throw outside("set a savepoint", e);
            }
        }

        void backTo(Savepoint savepoint) {
            try {
                connection.rollback(savepoint);
            } catch (SQLException e) {
                throw outside("take back a part of a transaction", e);
            }
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

    /** Starts work on a transaction that its own thread does not use before it has the answer. */
    <T> Supplier<T> start(Supplier<T> work) {
        return threads.start(work);
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
            Prelude prelude = prelude(connection, applicationName);
            return new Open(connection, blockers == null ? null : blockers.watch(), prelude);
        } catch (SQLException e) {
            ExternalFailureException failure = outside("open a transaction", e);
            if (connection != null) {
                new Open(connection, null, Prelude.NONE).close();
            }
            throw failure;
        }
    }

    private Prelude prelude(Connection connection, String applicationName) throws SQLException {
        PGConnection session = connection.unwrap(PGConnection.class);
        if (isPinned(session, connection)) {
            return applicationName.equals(session.getParameterStatus("application_name"))
                    ? Prelude.NONE
                    : new Prelude(
                            "SELECT pg_catalog.set_config('application_name', ?, false); ",
                            1,
                            List.of(applicationName));
        }
        // PostgreSQL tells its search_path from release 18 on.
        String searchPath =
                SEARCH_PATH.equals(session.getParameterStatus("search_path")) ? "" : local("search_path", SEARCH_PATH);
        return new Prelude(
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; SELECT"
                        + " pg_catalog.set_config('application_name', ?, true)" + settings + searchPath + "; ",
                2,
                List.of(applicationName));
    }

    private boolean isPinned(PGConnection session, Connection connection) throws SQLException {
        Boolean known = pinned.get(session);
        if (known == null) {
            try (PreparedStatement statement =
                            connection.prepareStatement("SELECT pg_catalog.current_setting('" + PINNED + "', true)");
                    ResultSet answer = statement.executeQuery()) {
                known = answer.next() && "on".equals(answer.getString(1));
            }
            connection.rollback();
            pinned.put(session, known);
        }
        return known;
    }

    /** Goes through the answers of one execution. */
    private static final class RowsOf implements Next {
        private final PreparedStatement statement;
        private boolean begun;

        RowsOf(PreparedStatement statement) {
            this.statement = statement;
        }

        @Override
        public ResultSet rows() throws SQLException {
            if (begun) {
                statement.getMoreResults();
            }
            begun = true;
            return statement.getResultSet();
        }
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
    static ExternalFailureException outside(String what, Exception e) {
        return outside(what, e, "");
    }

    private static ExternalFailureException outside(String what, Exception e, String more) {
        Throwable said = e instanceof DataAccessException && e.getCause() != null ? e.getCause() : e;
        if (said instanceof SQLTransientConnectionException && said.getCause() instanceof SQLException why) {
            said = why; // the pool only says that it has no connection; this is what the last attempt met
        }
        String state = said instanceof SQLException sql && sql.getSQLState() != null
                ? " (SQLSTATE " + sql.getSQLState() + ")"
                : "";
        String words = String.valueOf(said.getMessage()).replaceAll("\\s*\\R\\s*", " ");
        return new ExternalFailureException(
                Origin.POSTGRESQL, "PostgreSQL could not " + what + state + ": " + words + more, e);
    }
}
