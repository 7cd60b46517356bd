package io.stagedjobs;

import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Wakes resting enqueuers after a commit, so that they look for jobs at once. Without it, or if a signal is lost, a job
 * waits for an enqueuer's next look, at most its {@code poll.interval}.
 *
 * <pre>{@code
 * WakeUp wakeUp = WakeUp.on(dataSource);                       // one for the application
 * UnitOfWork unit = UnitOfWork.on(dataSource).waking(wakeUp);  // or wakeUp.committed() after each commit
 * }</pre>
 *
 * <p><b>Transaction</b>: never the caller's. A signal is a NOTIFY, and the commit of a transaction that notifies takes
 * a lock which all databases of the server share (PostgreSQL, "NOTIFY"): business transactions must not queue for it.
 * So a separate thread sends the signals, and borrows a connection for each.
 *
 * <p><b>Threads</b>: thread-safe. <b>Failure</b>: it throws nothing; it drops a signal that it cannot send and logs
 * that at debug.
 */
public final class WakeUp implements AutoCloseable {

    /** The channel that enqueuers listen to; the payload is the schema's name. */
    public static final String CHANNEL = "staged_jobs";

    /** If jobs come more often than this, enqueuers do not rest, and a signal is useless. */
    private static final Duration SIGNALS_APART = Duration.ofMillis(20);

    private static final Logger log = LoggerFactory.getLogger(WakeUp.class);

    private final DataSource dataSource;
    private final Schema schema;
    private final Semaphore commits = new Semaphore(0);
    private final Thread thread = new Thread(this::run, "staged-jobs-wake-up");
    private volatile boolean closed;

    private WakeUp(DataSource dataSource, Schema schema) {
        this.dataSource = dataSource;
        this.schema = schema;
        thread.setDaemon(true);
        thread.start();
    }

    /** Signals for jobs in the schema {@code public}. */
    public static WakeUp on(DataSource dataSource) {
        return on(dataSource, Schema.PUBLIC);
    }

    /**
     * Signals for jobs in {@code schema}.
     *
     * @param dataSource a source of connections to the same database, if possible without a pooler in transaction mode
     *     in between
     */
    public static WakeUp on(DataSource dataSource, Schema schema) {
        return new WakeUp(dataSource, schema);
    }

    /** Call this after a commit that staged jobs; it returns at once. Many calls within a moment become one signal. */
    public void committed() {
        commits.release();
    }

    private void run() {
        try {
            while (!closed) {
                commits.acquire();
                commits.drainPermits();
                if (!closed) {
                    signal();
                    TimeUnit.NANOSECONDS.sleep(SIGNALS_APART.toNanos());
                }
            }
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
        }
    }

    private void signal() {
        try (Connection connection = dataSource.getConnection()) {
            boolean autoCommit = connection.getAutoCommit();
            connection.setAutoCommit(false);
            // Nobody misses a signal that a crash undoes, so this commit need not wait for the disk.
            try (PreparedStatement notify = connection.prepareStatement(
                    "SELECT set_config('synchronous_commit', 'off', true), pg_notify(?, ?)")) {
                notify.setString(1, CHANNEL);
                notify.setString(2, schema.name());
                notify.execute();
                connection.commit();
            } finally {
                connection.setAutoCommit(autoCommit);
            }
        } catch (SQLException | RuntimeException unsent) {
            log.debug(
                    "could not wake the enqueuers ({}); they look for jobs by themselves within their poll.interval",
                    unsent.toString());
        }
    }

    /** Ends the thread; a signal under way may still be sent. */
    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }
}
