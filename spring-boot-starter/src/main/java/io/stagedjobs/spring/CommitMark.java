package io.stagedjobs.spring;

import org.springframework.transaction.TransactionExecution;
import org.springframework.transaction.TransactionExecutionListener;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;

/**
 * Marks a transaction whose commit has begun. While its callbacks run Spring still takes it for active, and its connection is
 * still there; but what is written on it is committed by nobody, or by chance.
 *
 * <p>The mark is one of the transaction's synchronizations: it is suspended and goes together with it. Spring Boot tells its
 * transaction managers of this listener; another one has to be told by the application, else it has no mark.
 */
final class CommitMark implements TransactionExecutionListener {

    private static final class Mark implements TransactionSynchronization {}

    static boolean isSet() {
        return TransactionSynchronizationManager.getSynchronizations().stream().anyMatch(Mark.class::isInstance);
    }

    @Override
    public void beforeCommit(TransactionExecution transaction) {
        boolean ends =
                transaction.isNewTransaction() && !transaction.isNested(); // and not a savepoint, or a part of it
        if (ends && TransactionSynchronizationManager.isSynchronizationActive()) {
            TransactionSynchronizationManager.registerSynchronization(new Mark());
        }
    }
}
