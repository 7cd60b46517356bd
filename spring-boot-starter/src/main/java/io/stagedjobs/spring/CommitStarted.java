package io.stagedjobs.spring;

import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.transaction.ConfigurableTransactionManager;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.TransactionExecution;
import org.springframework.transaction.TransactionExecutionListener;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * Marks a transaction whose commit has begun. While its callbacks run, Spring still considers it active, and its
 * connection is still open; but statements on it are committed by nobody, or by chance. Just before the commit, when no
 * other callback can follow, {@link StagingTransaction#requireCommittable} makes its last check.
 *
 * <p>The mark is one of the transaction's synchronizations, so it is suspended and ends with the transaction. Every
 * transaction manager among the beans gets this listener, even the application's own, which Spring Boot would leave
 * out.
 */
final class CommitStarted implements TransactionExecutionListener, BeanPostProcessor {

    private static final class Mark implements TransactionSynchronization {}

    static boolean isSet() {
        return TransactionSynchronizationManager.getSynchronizations().stream().anyMatch(Mark.class::isInstance);
    }

    @Override
    public Object postProcessAfterInitialization(Object bean, String name) {
        if (bean instanceof PlatformTransactionManager
                && bean instanceof ConfigurableTransactionManager manager
                && !manager.getTransactionExecutionListeners().contains(this)) {
            manager.addListener(this);
        }
        return bean;
    }

    @Override
    public void beforeCommit(TransactionExecution transaction) {
        boolean ends =
                transaction.isNewTransaction() && !transaction.isNested(); // and not a savepoint, or a part of it
        if (ends && TransactionSynchronizationManager.isSynchronizationActive()) {
            for (TransactionSynchronization known : TransactionSynchronizationManager.getSynchronizations()) {
                if (known instanceof StagingTransaction staging) {
                    staging.requireCommittable();
                }
            }
            TransactionSynchronizationManager.registerSynchronization(new Mark());
        }
    }
}
