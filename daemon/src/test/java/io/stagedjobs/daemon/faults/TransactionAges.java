package io.stagedjobs.daemon.faults;

import io.stagedjobs.faultkit.TestOutbox;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Looks every 100 ms how old the oldest open transaction of the enqueuers is, by PostgreSQL's own account, until it is
 * closed. One thread of its own samples, any other may ask.
 */
final class TransactionAges implements AutoCloseable {

    private static final String OLDEST =
            "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)) * 1000, 0)::bigint"
                    + " FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE"
                    + " 'staged-jobs%'";

    private final ScheduledExecutorService sampler = Executors.newSingleThreadScheduledExecutor();
    private final Connection connection;
    private volatile long oldestMillis;
    private volatile long samples;
    private volatile @Nullable Exception failure;

    TransactionAges(TestOutbox outbox) throws SQLException {
        connection = outbox.database.connect();
        PreparedStatement oldest = connection.prepareStatement(OLDEST);
        var unused = sampler.scheduleAtFixedRate(() -> sample(oldest), 0, 100, TimeUnit.MILLISECONDS);
    }

    private void sample(PreparedStatement oldest) {
        try (ResultSet answer = oldest.executeQuery()) {
            answer.next();
            oldestMillis = Math.max(oldestMillis, answer.getLong(1));
            samples++;
        } catch (SQLException e) {
            failure = e;
        }
    }

    /** The greatest age seen so far. */
    Duration oldest() {
        if (failure != null || samples == 0) {
            throw new IllegalStateException("could not sample the ages of transactions", failure);
        }
        return Duration.ofMillis(oldestMillis);
    }

    long samples() {
        return samples;
    }

    @Override
    public void close() throws Exception {
        sampler.shutdown();
        sampler.awaitTermination(10, TimeUnit.SECONDS);
        connection.close();
    }
}
