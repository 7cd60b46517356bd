package io.stagedjobs.enqueuer.postgres;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.enqueuer.Job;
import java.nio.ByteBuffer;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Arrays;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Reads the rows of one result as jobs. This runs for every job, so it uses the bytes that PostgreSQL sent. Names and
 * topics that repeat from row to row share one string.
 */
final class JobRows {

    /** The column after those of the job. */
    private static final int BYTES = 9;

    /** The beginning of PostgreSQL's time, counted from the Unix epoch. */
    private static final long EPOCH_SECONDS =
            Instant.parse("2000-01-01T00:00:00Z").getEpochSecond();

    private static final long MICROS_PER_SECOND = 1_000_000;
    private static final long NANOS_PER_MICRO = 1_000;
    private static final long MICROS_MIN =
            (Instant.parse("0001-01-01T00:00:00Z").getEpochSecond() - EPOCH_SECONDS) * MICROS_PER_SECOND;
    private static final long MICROS_MAX =
            (Instant.parse("+10000-01-01T00:00:00Z").getEpochSecond() - EPOCH_SECONDS) * MICROS_PER_SECOND - 1;

    private final ResultSet rows;
    private final Repeated topic = new Repeated();
    private final Repeated name = new Repeated();

    JobRows(ResultSet rows) {
        this.rows = rows;
    }

    boolean next() throws SQLException {
        return rows.next();
    }

    /** The row's size, computed by the statement. */
    long bytes() throws SQLException {
        return rows.getLong(BYTES);
    }

    Job job() throws SQLException {
        ByteBuffer jobId = ByteBuffer.wrap(rows.getBytes(2));
        return new Job(
                rows.getLong(1),
                new UUID(jobId.getLong(), jobId.getLong()),
                topic.text(rows.getBytes(3)),
                rows.getString(4),
                name.text(rows.getBytes(5)),
                rows.getBytes(6),
                rows.getString(7),
                time(ByteBuffer.wrap(rows.getBytes(8)).getLong()));
    }

    /** A time that RFC 3339 cannot express, which the table refuses, becomes the nearest one that it can. */
    private static Instant time(long sent) {
        long micros = Math.max(MICROS_MIN, Math.min(sent, MICROS_MAX));
        return Instant.ofEpochSecond(
                EPOCH_SECONDS + Math.floorDiv(micros, MICROS_PER_SECOND),
                Math.floorMod(micros, MICROS_PER_SECOND) * NANOS_PER_MICRO);
    }

    /** A text that is usually the same as in the previous row. */
    private static final class Repeated {
        private byte @Nullable [] bytes;
        private String text = "";

        String text(byte[] next) {
            if (!Arrays.equals(next, bytes)) {
                bytes = next;
                text = new String(next, UTF_8);
            }
            return text;
        }
    }
}
