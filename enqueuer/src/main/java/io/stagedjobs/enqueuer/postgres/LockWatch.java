package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.BackgroundThreads;
import io.stagedjobs.enqueuer.ExternalFailureException;
import java.sql.Connection;
import java.sql.SQLClientInfoException;
import java.sql.SQLException;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/** Reports to a person the sessions that keep a connection waiting for a lock, within seconds and during the wait. */
public final class LockWatch implements AutoCloseable {

    /** Longer than almost every ordinary wait for a lock. */
    private static final Duration LOOK_EVERY = Duration.ofSeconds(2);

    private final Database database;
    private final Consumer<String> tell;
    private final String session = "staged-jobs command " + UUID.randomUUID();
    private final ScheduledExecutorService clock;
    private @Nullable String logged;

    /**
     * Watches until it is closed.
     *
     * @param database provides connections, one for each question
     * @param watched gets a unique name in pg_stat_activity
     * @param tell receives a line whenever another session blocks, on a thread of this watch
     */
    @SuppressWarnings("FutureReturnValueIgnored") // if a look fails, only a line for a person is missing
    public LockWatch(Database database, Connection watched, Consumer<String> tell) {
        this.database = database;
        this.tell = tell;
        try {
            watched.setClientInfo("ApplicationName", session);
        } catch (SQLClientInfoException e) {
            throw Transactions.outside("name a session", e);
        }
        this.clock = Executors.newSingleThreadScheduledExecutor(BackgroundThreads.daemons("lock-watch"));
        clock.scheduleWithFixedDelay(this::look, LOOK_EVERY.toMillis(), LOOK_EVERY.toMillis(), TimeUnit.MILLISECONDS);
    }

    @SuppressWarnings("EmptyCatch") // the watched connection meets the same error itself
    private void look() {
        try (Connection connection = database.connect()) {
            String blockers = Blockers.of(DSL.using(connection, SQLDialect.POSTGRES), session);
            if (blockers != null && !blockers.equals(logged)) {
                logged = blockers;
                tell.accept("waiting for a lock; blocked by " + blockers);
            }
        } catch (SQLException | DataAccessException | ExternalFailureException unanswered) {
            // no answer, no line
        }
    }

    @Override
    public void close() {
        clock.shutdownNow();
    }
}
