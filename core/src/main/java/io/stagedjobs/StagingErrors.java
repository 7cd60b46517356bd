package io.stagedjobs;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.TransactionState;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** Turns PostgreSQL's error for an insert of jobs into an exception that a caller can act on. */
final class StagingErrors {

    private static final String CHECK_VIOLATION = "23514";

    private StagingErrors() {}

    /** The exception for {@code jobs} whose insert failed on {@code connection}. */
    static StagedJobsException of(Connection connection, List<StagedJob> jobs, SQLException e) {
        SQLException cause = withoutRow(e);
        String kept = ". Nothing was staged; " + whatRemains(connection);
        if (CHECK_VIOLATION.equals(e.getSQLState())) {
            return new JobRefusedException("cannot stage " + brokenRule(jobs, e) + kept, cause);
        }
        String what = jobs.size() == 1 ? "job \"" + jobs.get(0).name() + "\"" : jobs.size() + " jobs";
        return new StagingFailedException(
                "could not stage " + what + " (SQLSTATE " + e.getSQLState() + "): " + cause.getMessage() + kept, cause);
    }

    private static String whatRemains(Connection connection) {
        try {
            if (connection.isWrapperFor(BaseConnection.class)
                    && connection.unwrap(BaseConnection.class).getTransactionState() == TransactionState.OPEN) {
                return "the driver's autosave keeps the transaction usable. Roll it back: a commit would store the"
                        + " business rows without the job.";
            }
        } catch (SQLException closed) {
            // PostgreSQL rolls back the transaction of a closed connection.
        }
        return "the transaction can only be rolled back: a commit stores nothing, even if it reports no error.";
    }

    /** The same without PostgreSQL's details, which may show the row: errors go to logs, payloads must not. */
    private static SQLException withoutRow(SQLException e) {
        ServerErrorMessage server = serverMessage(e);
        if (server == null || server.getDetail() == null) {
            return e;
        }
        SQLException bare = new SQLException("ERROR: " + server.getMessage(), e.getSQLState());
        bare.setStackTrace(e.getStackTrace());
        return bare;
    }

    private static @Nullable ServerErrorMessage serverMessage(SQLException e) {
        return e instanceof PSQLException psql ? psql.getServerErrorMessage() : null;
    }

    private static String brokenRule(List<StagedJob> jobs, SQLException e) {
        ServerErrorMessage server = serverMessage(e);
        String constraint = server == null ? null : server.getConstraint();
        if ("staged_jobs_payload_size".equals(constraint)) {
            int largest = indexOfLargest(jobs, StagingErrors::payloadBytes);
            return job(jobs, largest) + ": its payload has " + payloadBytes(jobs.get(largest))
                    + " bytes, more than the table's limit (900000 unless `staged-jobs migrate --payload-max` set"
                    + " another). Store large content elsewhere and stage a reference to it";
        }
        if ("staged_jobs_headers_size".equals(constraint)) {
            int largest = indexOfLargest(jobs, StagingErrors::headersLength);
            return job(jobs, largest) + ": its headers have more than " + StagedJob.HEADERS_BYTES_MAX
                    + " bytes as JSON";
        }
        String what = jobs.size() == 1 ? job(jobs, 0) : jobs.size() + " jobs";
        return what + ": the database's rule " + constraint + " is broken";
    }

    private static String job(List<StagedJob> jobs, int index) {
        String name = "job \"" + jobs.get(index).name() + "\"";
        return jobs.size() == 1 ? name : name + " (number " + (index + 1) + " of " + jobs.size() + " in the list)";
    }

    private static int indexOfLargest(List<StagedJob> jobs, ToIntFunction<StagedJob> size) {
        return IntStream.range(0, jobs.size())
                .boxed()
                .max(Comparator.comparingInt(i -> size.applyAsInt(jobs.get(i))))
                .orElseThrow();
    }

    private static int payloadBytes(StagedJob job) {
        byte[] payload = job.payload();
        return payload == null ? 0 : payload.length;
    }

    private static int headersLength(StagedJob job) {
        String json = job.headersJson();
        return json == null ? 0 : json.length();
    }
}
