package io.stagedjobs.enqueuer.postgres;

import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Optional;

/**
 * A lane's row when it was locked.
 *
 * @param at when PostgreSQL began to, by its clock
 * @param lastBatch as of the beginning of the statement that locked it
 * @param asked when it was asked to, of {@link System#nanoTime}
 */
record LockedLane(long generation, String era, Instant at, long lastBatch, long asked) {

    /** Reads the answer of the statement; empty if it locked nothing. */
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

    /** By the database's clock, and not before it: what a message was under way counts too. */
    Instant now() {
        return at.plusNanos(System.nanoTime() - asked);
    }
}
