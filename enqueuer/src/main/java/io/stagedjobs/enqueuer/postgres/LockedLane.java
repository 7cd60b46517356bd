package io.stagedjobs.enqueuer.postgres;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Optional;

/**
 * A lane's row at the time of its lock.
 *
 * @param at the time at which PostgreSQL began to lock it, by its clock
 * @param lastBatch the last settled batch at the beginning of the statement that locked it
 * @param asked the time of the request, of {@link System#nanoTime}
 */
record LockedLane(long generation, String era, Instant at, long lastBatch, long asked) {

    /** Reads the statement's result; empty if it locked nothing. */
    static Optional<LockedLane> of(ResultSet row, long asked) throws SQLException {
        return row.next()
                ? Optional.of(new LockedLane(
                        row.getLong("generation"),
                        row.getString("era"),
                        row.getObject("locked_at", OffsetDateTime.class).toInstant(),
                        row.getLong("last_batch"),
                        asked))
                : Optional.empty();
    }

    /** The time by the database's clock, never too early: it includes the time that the message took. */
    Instant now() {
        return at.plusNanos(System.nanoTime() - asked);
    }
}
