package io.stagedjobs.spring;

import io.stagedjobs.JobRefusedException;
import io.stagedjobs.NoTransactionException;
import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.StagingFailedException;
import java.sql.Connection;
import java.util.List;
import java.util.UUID;
import java.util.function.IntConsumer;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.springframework.jdbc.datasource.DataSourceUtils;
import org.springframework.jdbc.datasource.TransactionAwareDataSourceProxy;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * Stages jobs in Spring's current transaction, opened by {@code @Transactional} or a {@code TransactionTemplate}, and
 * used with JDBC, jOOQ or JPA. A job is published if and only if that transaction commits.
 *
 * <p><b>Transaction</b>: always Spring's, on its bound connection; this class opens none. <b>At once</b>: each call is
 * one INSERT, and does not wait for the end of the transaction. So PostgreSQL rolls a job back together with any
 * savepoint, no matter who set it ({@code NESTED}, jOOQ, plain JDBC); a refused job fails where it is made; and later
 * statements of the transaction see the row. For many jobs, {@link #stage(List)} saves round trips. <b>Order</b>: that
 * of the calls, and of the list. <b>Threads</b>: thread-safe; a transaction belongs to the thread that began it.
 *
 * <p><b>Failure</b>: {@link NoTransactionException} if no transaction of this data source is open; nothing was staged.
 * {@link JobRefusedException} for a job that breaks a rule, {@link StagingFailedException} for any other error of the
 * database. After these two the transaction can only be rolled back; if you swallow the exception, the commit fails
 * too.
 */
public final class TransactionalStagedJobs {

    private final DataSource dataSource;
    private final StagedJobs stagedJobs;
    private final IntConsumer afterCommit;

    /**
     * Stages into the database of {@code dataSource}.
     *
     * @param dataSource the data source of the transactions
     * @param afterCommit receives the number of staged jobs of each transaction that has any, in its thread and after
     *     its commit; Spring logs its exceptions
     */
    public TransactionalStagedJobs(DataSource dataSource, StagedJobs stagedJobs, IntConsumer afterCommit) {
        this.dataSource = behindProxies(dataSource);
        this.stagedJobs = stagedJobs;
        this.afterCommit = afterCommit;
    }

    /** Stages one job; returns its id. */
    public UUID stage(StagedJob job) {
        stage(List.of(job));
        return job.id();
    }

    /** Stages many jobs in one statement (more only beyond 64 MiB of payload). */
    public void stage(List<StagedJob> jobs) {
        requireTransaction();
        StagingTransaction transaction = StagingTransaction.current(dataSource, afterCommit);
        Connection connection = DataSourceUtils.getConnection(dataSource);
        try {
            stagedJobs.stage(connection, jobs);
        } finally {
            DataSourceUtils.releaseConnection(connection, dataSource);
        }
        transaction.add(jobs.size());
    }

    /**
     * The connection alone is not enough: outside of a transaction, an autocommit connection is refused further down,
     * but a pool may give other connections, whose jobs nobody would commit.
     */
    private void requireTransaction() {
        if (!TransactionSynchronizationManager.isActualTransactionActive()
                || !TransactionSynchronizationManager.isSynchronizationActive()) {
            throw new NoTransactionException(
                    "cannot stage a job outside of a Spring transaction: it would not be stored"
                            + " together with the business rows it belongs to. Nothing was staged. Call from a"
                            + " @Transactional"
                            + " method (one that another bean calls, or Spring does not see the call) or a"
                            + " TransactionTemplate.");
        }
        if (CommitStarted.isSet()) {
            throw new NoTransactionException("cannot stage a job in a transaction that has been committed already, as"
                    + " in TransactionSynchronization.afterCommit: nobody would commit the job. Nothing was staged."
                    + " Stage it before the commit, or in a transaction of its own (Propagation.REQUIRES_NEW).");
        }
        if (!TransactionSynchronizationManager.hasResource(dataSource)) {
            throw new NoTransactionException("cannot stage a job in this transaction: it is not one of the data source"
                    + " that jobs are staged with, but of another resource. Nothing was staged. Name the transaction"
                    + " manager of that data source in @Transactional, or define a TransactionalStagedJobs with the"
                    + " data source of this one.");
        }
    }

    /** Spring binds a transaction's connection to the data source behind these. */
    private static DataSource behindProxies(DataSource dataSource) {
        DataSource behind = dataSource;
        while (behind instanceof TransactionAwareDataSourceProxy proxy) {
            @Nullable DataSource target = proxy.getTargetDataSource();
            if (target == null) {
                break;
            }
            behind = target;
        }
        return behind;
    }
}
