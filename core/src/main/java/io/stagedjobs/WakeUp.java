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
 * Tells the enqueuers that jobs were committed, so that those which rest look at once. Without it, or when a signal is
 * lost, a job waits for an enqueuer's next look, at most its {@code poll.interval}.
 *
 * <pre>{@code
 * WakeUp wakeUp = WakeUp.on(dataSource);                       // one for the application
 * UnitOfWork unit = UnitOfWork.on(dataSource).waking(wakeUp);  // or wakeUp.committed() after each commit
 * }</pre>
 *
 * <p><b>Transaction</b>: never the caller's. A signal is a NOTIFY, and the commit of a transaction that notifies takes
 * a lock which all databases of the server share (PostgreSQL, "NOTIFY"): business transactions must not queue for it.
 * So a thread of its own sends the signals, each with a connection that it borrows for that moment.
 *
 * <p><b>Threads</b>: safe for use by many. <b>Failure</b>: none is thrown; a signal that cannot be sent is dropped and
 * logged at debug.
 */
public final class WakeUp implements AutoCloseable {

    /** The channel that enqueuers listen to; the payload is the schema's name. */
    public static final String CHANNEL = "staged_jobs";

    /** While jobs come more often than that, enqueuers do not rest, and a signal tells them nothing. */
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
     * @param dataSource of the same database, without a pooler in transaction mode in between if that can be had
     */
    public static WakeUp on(DataSource dataSource, Schema schema) {
        return new WakeUp(dataSource, schema);
    }

    /** To be called after a commit that staged jobs; returns at once. Many calls within a moment become one signal. */
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
            // A signal that a crash takes back is none that anybody misses: nothing waits for the disk.
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
                    "could not wake the enqueuers ({}); they look by themselves within their poll.interval",
                    unsent.toString());
        }
    }

    /** Ends the thread; a signal that is under way may still be sent. */
    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }
}
