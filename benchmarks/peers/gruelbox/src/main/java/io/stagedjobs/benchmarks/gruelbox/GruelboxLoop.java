package io.stagedjobs.benchmarks.gruelbox;

import com.gruelbox.transactionoutbox.Dialect;
import com.gruelbox.transactionoutbox.ExecutorSubmitter;
import com.gruelbox.transactionoutbox.Instantiator;
import com.gruelbox.transactionoutbox.Persistor;
import com.gruelbox.transactionoutbox.TransactionManager;
import com.gruelbox.transactionoutbox.TransactionOutbox;
import com.zaxxer.hikari.HikariDataSource;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** A process that flushes the outbox without end: one thread picks the batches, a pool of workers runs their tasks. */
public final class GruelboxLoop {

    /** Many, because a worker mostly waits, for its record's acknowledgement and its commit. 16 and 32 were slower. */
    private static final int WORKERS = 64;

    /** The default. One batch is picked while another is worked on. */
    private static final int FLUSH_BATCH_SIZE = 4_096;

    private static final int IDLE_MILLIS = 10;

    private GruelboxLoop() {}

    /** Arguments: JDBC URL, user, password, bootstrap servers; or the first three, to make the tables only. */
    public static void main(String[] args) throws Exception {
        try (HikariDataSource dataSource = dataSource(args[0], args[1], args[2])) {
            TransactionManager transactions = TransactionManager.fromDataSource(dataSource);
            Persistor persistor = Persistor.forDialect(Dialect.POSTGRESQL_9);
            if (args.length == 3) {
                persistor.migrate(transactions);
                return;
            }
            try (KafkaSender sender = new KafkaSender(args[3])) {
                run(TransactionOutbox.builder()
                        .transactionManager(transactions)
                        .persistor(persistor)
                        .instantiator(Instantiator.using(type -> sender))
                        .submitter(
                                ExecutorSubmitter.builder().executor(workers()).build())
                        .flushBatchSize(FLUSH_BATCH_SIZE)
                        .build());
            }
        }
    }

    private static void run(TransactionOutbox outbox) throws InterruptedException {
        while (!Thread.currentThread().isInterrupted()) {
            if (!outbox.flush()) {
                Thread.sleep(IDLE_MILLIS);
            }
        }
    }

    /** When the queue is full, the flushing thread works too: a refused job would wait for two minutes. */
    private static ThreadPoolExecutor workers() {
        return new ThreadPoolExecutor(
                WORKERS,
                WORKERS,
                0,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(FLUSH_BATCH_SIZE),
                new ThreadPoolExecutor.CallerRunsPolicy());
    }

    private static HikariDataSource dataSource(String url, String user, String password) {
        HikariDataSource dataSource = new HikariDataSource();
        dataSource.setJdbcUrl(url);
        dataSource.setUsername(user);
        dataSource.setPassword(password);
        dataSource.setMaximumPoolSize(WORKERS + 1);
        dataSource.setAutoCommit(false);
        return dataSource;
    }
}
