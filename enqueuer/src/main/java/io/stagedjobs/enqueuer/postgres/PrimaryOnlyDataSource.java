package io.stagedjobs.enqueuer.postgres;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.postgresql.ds.PGSimpleDataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens the connections of one pool: with the current password, and never to an older timeline than it has seen.
 *
 * <p>A promoted standby begins a new timeline (PostgreSQL, "Continuous Archiving"). A former primary that comes back is
 * on the old one; it accepts writers, and holds jobs that its successor has already published.
 */
final class PrimaryOnlyDataSource extends PGSimpleDataSource {

    private static final Logger log = LoggerFactory.getLogger(PrimaryOnlyDataSource.class);

    /** The first eight digits of the log file's name; a standby writes none. */
    private static final String TIMELINE =
            "SELECT CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END";

    private final Database database;
    private final String sessionOptions;
    private final AtomicLong newest = new AtomicLong();

    /** A time of {@link System#nanoTime}; 0 while connections succeed. */
    private final AtomicLong failingSince = new AtomicLong();

    private volatile Runnable onChange = () -> {};

    /** @param sessionOptions see {@link Database#open} */
    PrimaryOnlyDataSource(Database database, String sessionOptions) {
        this.database = database;
        this.sessionOptions = sessionOptions;
    }

    /** Runs when PostgreSQL failed over: open connections may lead to the former primary. */
    void whenTimelineChanges(Runnable action) {
        onChange = action;
    }

    @Override
    public Connection getConnection() throws SQLException {
        try {
            Connection connection = opened();
            failingSince.set(0);
            return connection;
        } catch (SQLException e) {
            SQLException explained = database.explained(e);
            throw new SQLException(explained.getMessage() + since(), explained.getSQLState(), e);
        }
    }

    private Connection opened() throws SQLException {
        Connection connection = database.open(sessionOptions);
        try {
            admit(connection);
            return connection;
        } catch (SQLException refused) {
            connection.close();
            throw refused;
        }
    }

    /** How long this has lasted, if that is worth mentioning. */
    private String since() {
        long now = System.nanoTime();
        failingSince.compareAndSet(0, now);
        long seconds = Duration.ofNanos(now - failingSince.get()).toSeconds();
        return seconds > 0 ? " (for " + seconds + " s now)" : "";
    }

    private void admit(Connection connection) throws SQLException {
        long timeline = timeline(connection);
        long before = newest.getAndAccumulate(timeline, Math::max);
        if (timeline < before) {
            throw new SQLException("the server is on timeline " + timeline + ", but the one before it was on timeline "
                    + before + ": a former primary came back, and is not used");
        }
        if (before > 0 && timeline > before) {
            log.warn(
                    "PostgreSQL is on timeline {} now, it was on {}: it failed over or was restored. If it lost"
                            + " jobs that Kafka has, their lanes are halted; see operations.md \"A lane is halted\".",
                    timeline,
                    before);
            onChange.run();
        }
    }

    private static long timeline(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(TIMELINE)) {
            row.next();
            @Nullable String hexadecimal = row.getString(1);
            return hexadecimal == null ? 0 : Long.parseLong(hexadecimal, 16);
        }
    }
}
