package io.stagedjobs.spring;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.IdentityHashMap;
import java.util.function.IntConsumer;
import javax.sql.DataSource;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.TransactionState;
import org.springframework.jdbc.datasource.DataSourceUtils;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * A transaction in which jobs are staged, from the first one to its end: counts them, and reports their number after
 * the commit. Jobs of a savepoint that Spring rolled back do not count. It does not see savepoints that the application
 * sets itself, so the number may be too high.
 */
final class StagingTransaction implements TransactionSynchronization {

    private final DataSource dataSource;
    private final IntConsumer afterCommit;
    private final IdentityHashMap<Object, Integer> atSavepoints = new IdentityHashMap<>();
    private int jobs;

    private StagingTransaction(DataSource dataSource, IntConsumer afterCommit) {
        this.dataSource = dataSource;
        this.afterCommit = afterCommit;
    }

    /** The current transaction of this data source. */
    static StagingTransaction current(DataSource dataSource, IntConsumer afterCommit) {
        for (TransactionSynchronization known : TransactionSynchronizationManager.getSynchronizations()) {
            if (known instanceof StagingTransaction staging
                    && staging.dataSource == dataSource
                    && staging.afterCommit == afterCommit) {
                return staging;
            }
        }
        StagingTransaction first = new StagingTransaction(dataSource, afterCommit);
        TransactionSynchronizationManager.registerSynchronization(first);
        return first;
    }

    void add(int staged) {
        jobs += staged;
    }

    @Override
    public void savepoint(Object savepoint) {
        atSavepoints.put(savepoint, jobs);
    }

    /** An unknown savepoint was set before any job was staged. */
    @Override
    public void savepointRollback(Object savepoint) {
        jobs = atSavepoints.getOrDefault(savepoint, 0);
    }

    @Override
    public void beforeCommit(boolean readOnly) {
        requireCommittable();
    }

    /**
     * Fails if the commit would silently lose jobs.
     *
     * <p>PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and the driver does not report it: a caller
     * that swallowed an SQL error would believe its jobs staged (decision 0007). The driver knows the state, so this
     * sends no statement. Other callbacks may still run after {@link #beforeCommit}; {@link CommitStarted} checks again
     * when all of them are done.
     *
     * <p>By then, a connection that belongs to no transaction, and that Spring only lent for the duration of this one,
     * has gone back to its pool. If such connections come without autocommit, nobody has committed the jobs.
     */
    void requireCommittable() {
        if (!TransactionSynchronizationManager.hasResource(dataSource)) {
            if (jobs == 0) {
                return;
            }
            throw new IllegalStateException(
                    "cannot commit a transaction in which a job was staged: it is not one of the data source that"
                            + " jobs are staged with, whose connection was only borrowed, and nobody commits the job."
                            + " Nothing was"
                            + " stored, and no job staged. Name the transaction manager of that data source in"
                            + " @Transactional.");
        }
        Connection connection = DataSourceUtils.getConnection(dataSource);
        try {
            if (connection.unwrap(BaseConnection.class).getTransactionState() == TransactionState.FAILED) {
                throw new IllegalStateException(
                        "cannot commit a transaction in which a statement failed: PostgreSQL would"
                                + " roll it back. Nothing was stored, and no job staged. Let the exception of that"
                                + " statement pass, or run it in a nested transaction (Propagation.NESTED).");
            }
        } catch (SQLException notOfThisDriver) {
            // A pool that hides the driver: as everywhere else in such an application, the error stays unnoticed.
        } finally {
            DataSourceUtils.releaseConnection(connection, dataSource);
        }
    }

    /** Runs after the callbacks of the commit: one that fails would keep the others from running. */
    @Override
    public void afterCompletion(int status) {
        if (status == STATUS_COMMITTED && jobs > 0) {
            afterCommit.accept(jobs);
        }
    }
}
