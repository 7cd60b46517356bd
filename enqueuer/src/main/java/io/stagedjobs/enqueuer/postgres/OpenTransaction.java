package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.ExternalFailureException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.Map;
import java.util.function.Function;
import org.jooq.Configuration;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.conf.Settings;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.DefaultConfiguration;
import org.jooq.impl.DefaultConnectionProvider;
import org.jspecify.annotations.Nullable;

/**
 * An open transaction of ours; closing it without a commit rolls it back. Use it from one thread at a time. It throws
 * PostgreSQL's errors as {@link ExternalFailureException}.
 */
final class OpenTransaction implements AutoCloseable {

    private static final Configuration JOOQ =
            new DefaultConfiguration().set(SQLDialect.POSTGRES).set(new Settings().withExecuteLogging(false));

    /** The first release of PostgreSQL whose pg_logical_emit_message can flush. */
    private static final int FLUSHES_MESSAGES_SINCE = 17;

    private final Connection connection;
    private Prelude prelude;

    /** @param prelude travels with the first statement */
    OpenTransaction(Connection connection, Prelude prelude) {
        this.connection = connection;
        this.prelude = prelude;
    }

    /** Reads the rows of a result. */
    interface Rows<T extends @Nullable Object> {
        T read(ResultSet rows) throws SQLException;
    }

    /** Reads several results of one message, in the order of its statements. */
    interface Answers<T extends @Nullable Object> {
        T read(Next next) throws SQLException;
    }

    /** Whether PostgreSQL can flush its log in the message that reads. */
    boolean flushesWithRead() {
        try {
            return connection.getMetaData().getDatabaseMajorVersion() >= FLUSHES_MESSAGES_SINCE;
        } catch (SQLException e) {
            throw Transactions.outside("read its version", e);
        }
    }

    /** Runs statements through jOOQ. */
    <T extends @Nullable Object> T ask(String what, Function<DSLContext, T> question) {
        try {
            sendPrelude();
            return question.apply(DSL.using(JOOQ.derive(new DefaultConnectionProvider(connection))));
        } catch (DataAccessException | SQLException e) {
            throw Transactions.outside(what, e);
        }
    }

    /** As {@link #ask}, for statements of every batch, without jOOQ's cost per row. */
    <T extends @Nullable Object> T query(String what, NamedSql sql, Map<String, ?> values, Rows<T> rows) {
        return queries(what, sql, values, next -> rows.read(next.rows()));
    }

    /** Several statements in one message to the server; each sees the effects of the earlier ones. */
    <T extends @Nullable Object> T queries(String what, NamedSql sql, Map<String, ?> values, Answers<T> answers) {
        int skip = prelude.statements();
        try (PreparedStatement statement = prepared(sql.sql(), sql.bindings(values))) {
            statement.execute();
            for (int i = 0; i < skip; i++) {
                statement.getMoreResults();
            }
            return answers.read(new Next(statement));
        } catch (SQLException e) {
            throw Transactions.outside(what, e);
        }
    }

    /** As {@link #queries}, if the first statement returns a number of rows. */
    int update(String what, NamedSql sql, Map<String, ?> values) {
        try {
            sendPrelude();
            try (PreparedStatement statement = prepared(sql.sql(), sql.bindings(values))) {
                return statement.executeUpdate();
            }
        } catch (SQLException e) {
            throw Transactions.outside(what, e);
        }
    }

    private void sendPrelude() throws SQLException {
        if (prelude.statements() > 0) {
            try (PreparedStatement statement = prepared("")) {
                statement.execute();
            }
        }
    }

    private PreparedStatement prepared(String sql, Object... bindings) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(prelude.sql() + sql);
        int parameter = 1;
        for (String binding : prelude.bindings()) {
            statement.setString(parameter++, binding);
        }
        prelude = Prelude.NONE;
        for (Object binding : bindings) {
            statement.setObject(parameter++, binding);
        }
        return statement;
    }

    /** A savepoint to which {@link #backTo} rolls the transaction back. */
    Savepoint savepoint() {
        try {
            return connection.setSavepoint();
        } catch (SQLException e) {
            throw Transactions.outside("set a savepoint", e);
        }
    }

    void backTo(Savepoint savepoint) {
        try {
            connection.rollback(savepoint);
        } catch (SQLException e) {
            throw Transactions.outside("roll back to a savepoint", e);
        }
    }

    /** Commits; if this throws, whether it took effect is unknown. */
    void commit() {
        try {
            connection.commit();
        } catch (SQLException e) {
            throw Transactions.outside("COMMIT", e);
        }
    }

    /** Rolls back, unless committed, and gives the connection back. */
    @Override
    @SuppressWarnings("EmptyCatch") // the pool drops a broken connection, and PostgreSQL rolls it back
    public void close() {
        try (connection) {
            connection.rollback();
        } catch (SQLException broken) {
            // there is nothing left to do for this transaction
        }
    }

    /** Goes from one result of an execution to the next. */
    static final class Next {
        private final PreparedStatement statement;
        private boolean begun;

        private Next(PreparedStatement statement) {
            this.statement = statement;
        }

        /** The rows of the next statement. */
        ResultSet rows() throws SQLException {
            if (begun) {
                statement.getMoreResults();
            }
            begun = true;
            return statement.getResultSet();
        }
    }
}
