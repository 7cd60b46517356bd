package io.stagedjobs;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import org.jooq.Transaction;
import org.jooq.TransactionContext;
import org.jooq.TransactionProvider;
import org.jooq.exception.DataAccessException;

/**
 * jOOQ's nested transactions in a unit, as savepoints on its connection.
 *
 * <p>Not jOOQ's own provider: if that one cannot set a savepoint, because the transaction has failed, it mistakes the
 * unit's transaction for the nested one and gives the connection back; the statements that follow commit on another
 * connection.
 */
final class SavepointTransactions implements TransactionProvider {

    private final Connection connection;

    private record Nested(Savepoint savepoint) implements Transaction {}

    private interface Step {
        void run() throws SQLException;
    }

    SavepointTransactions(Connection connection) {
        this.connection = connection;
    }

    @Override
    public void begin(TransactionContext nested) {
        run("set a savepoint", () -> nested.transaction(new Nested(connection.setSavepoint())));
    }

    /** Fails in a failed transaction, so that a swallowed SQL error does not look like success (decision 0007). */
    @Override
    public void commit(TransactionContext nested) {
        if (nested.transaction() instanceof Nested begun) {
            run("release a savepoint", () -> connection.releaseSavepoint(begun.savepoint()));
        }
    }

    @Override
    public void rollback(TransactionContext nested) {
        if (nested.transaction() instanceof Nested begun) {
            run("roll back to a savepoint", () -> connection.rollback(begun.savepoint()));
        }
    }

    private static void run(String what, Step step) {
        try {
            step.run();
        } catch (SQLException e) {
            throw new DataAccessException("could not " + what + ": " + e.getMessage(), e);
        }
    }
}
