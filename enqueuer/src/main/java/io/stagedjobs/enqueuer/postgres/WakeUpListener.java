package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.WakeUp;
import io.stagedjobs.internal.Backoff;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Receives the signals of applications after their commits ({@link WakeUp}), in a thread and a session of its own. The
 * session is idle in between and holds no snapshot. Without a session no job is lost: lanes look for jobs every {@code
 * poll.interval}.
 */
public final class WakeUpListener implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(WakeUpListener.class);
    private static final Backoff CONNECT_AGAIN = new Backoff(Duration.ofMillis(200), Duration.ofSeconds(10));

    /** How long a connection may be silent before it is checked. */
    private static final Duration QUIET_MAX = Duration.ofSeconds(10);

    private final Database database;
    private final Schema schema;
    private final Runnable onSignal;
    private final Thread thread = new Thread(this::run, "wake-up");
    private volatile boolean closed;
    private volatile @Nullable Connection open;

    /**
     * @param onSignal runs in the listener's thread, also whenever a signal may have been missed; it must return soon
     */
    public WakeUpListener(Database database, Schema schema, Runnable onSignal) {
        this.database = database;
        this.schema = schema;
        this.onSignal = onSignal;
        thread.setDaemon(true);
    }

    /** Returns at once. */
    public void start() {
        thread.start();
    }

    private void run() {
        int failures = 0;
        while (!closed) {
            try (Connection connection = database.open("-c search_path=" + SessionSettings.SEARCH_PATH)) {
                open = connection;
                listen(connection);
                failures = 0;
                onSignal.run();
                while (!closed) {
                    hear(connection);
                }
            } catch (SQLException away) {
                failures++;
                log.debug("could not listen for commits ({}); lanes look by themselves", away.getMessage());
            }
            if (!closed) {
                rest(CONNECT_AGAIN.after(Math.max(1, failures), ThreadLocalRandom.current()));
            }
        }
    }

    private static void listen(Connection connection) throws SQLException {
        connection.setAutoCommit(true);
        try (Statement statement = connection.createStatement()) {
            statement.execute("LISTEN " + WakeUp.CHANNEL);
        }
    }

    private void hear(Connection connection) throws SQLException {
        PGNotification[] signals = connection.unwrap(PGConnection.class).getNotifications((int) QUIET_MAX.toMillis());
        boolean ours = false;
        for (PGNotification signal : signals) {
            ours |= signal.getParameter().equals(schema.name());
        }
        if (ours) {
            onSignal.run();
        }
        if (signals.length == 0) {
            try (Statement statement = connection.createStatement()) {
                statement.execute("SELECT 1");
            }
        }
    }

    private static void rest(Duration duration) {
        try {
            Thread.sleep(duration.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends the thread, by ending its session. */
    @Override
    public void close() {
        closed = true;
        thread.interrupt();
        Connection connection = open;
        if (connection != null) {
            try {
                connection.abort(Runnable::run);
            } catch (SQLException gone) {
                log.debug("the listening session is already gone", gone);
            }
        }
    }
}
