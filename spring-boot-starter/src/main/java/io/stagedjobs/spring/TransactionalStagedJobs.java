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
 * Stages jobs in Spring's current transaction, whether {@code @Transactional} or a {@code TransactionTemplate} opened
 * it, and whether it is one of JDBC, jOOQ or JPA. A job is published if and only if that transaction commits.
 *
 * <p><b>Transaction</b>: always Spring's, on the connection that is bound to it; none is opened here. <b>At once</b>:
 * each call is one INSERT, and not kept for the end of the transaction. So PostgreSQL takes a job back together with
 * any savepoint, no matter who set it ({@code NESTED}, jOOQ, plain JDBC); a job that is refused fails where it is made;
 * and the row is there for whatever the transaction does next. Who has many jobs saves round trips with
 * {@link #stage(List)}. <b>Order</b>: that of the calls, and of the list. <b>Threads</b>: safe for use by many; a
 * transaction belongs to the thread that began it.
 *
 * <p><b>Failure</b>: {@link NoTransactionException} if no transaction of this data source is open; nothing was staged.
 * {@link JobRefusedException} for a job that breaks a rule, {@link StagingFailedException} for anything else the
 * database says; then the transaction can only be rolled back, and its commit fails, too, if the exception was
 * swallowed.
 */
public final class TransactionalStagedJobs {

    private final DataSource dataSource;
    private final StagedJobs stagedJobs;
    private final IntConsumer afterCommit;

    /**
     * Stages into the database of {@code dataSource}.
     *
     * @param dataSource the one that the transactions are begun on
     * @param afterCommit told how many jobs a transaction has staged, by its thread and after its commit, if there are
     *     any; what it throws is logged by Spring
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
     * The connection alone would not tell: outside of transactions one in autocommit mode is refused further down, but
     * a pool may hand out others, whose jobs nobody would commit.
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
        if (CommitMark.isSet()) {
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
