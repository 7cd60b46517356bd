package io.stagedjobs;

import io.stagedjobs.schema.Schema;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;

/**
 * Stages jobs in the caller's open transaction. A job is published if and only if that transaction commits.
 *
 * <p><b>Transaction</b>: always the caller's. This class never commits or rolls back, and refuses an autocommit
 * connection with {@link NoTransactionException}. <b>Order</b>: jobs of one call get their positions in the order of
 * the list. <b>Trace</b>: it adds the headers {@code traceparent} and {@code tracestate} of the current span, see
 * {@link TraceContext}; a job's own ones take precedence. <b>Threads</b>: immutable, thread-safe; as always, only one
 * thread at a time may use a connection.
 *
 * <p><b>Failure</b>: {@link JobRefusedException} for a job that breaks a rule, {@link StagingFailedException} for any
 * other error of the database. Then roll the transaction back. If you swallow the exception, a commit by JDBC or jOOQ
 * may return normally and store nothing at all; with pgjdbc's {@code autosave} it even stores the business rows without
 * the job. With the {@link Work#stage} of a {@link UnitOfWork} neither can happen.
 */
public final class StagedJobs {

    /** Splits an array parameter with more payload bytes, far below PostgreSQL's limit of 1 GB per message. */
    private static final long STATEMENT_BYTES_MAX = 64L << 20;

    private final String table;
    private final String insertOne;
    private final String insertMany;
    private final long statementBytesMax;
    private final TraceContext trace;

    /** @param schema where the table lives */
    public StagedJobs(Schema schema) {
        this(schema, STATEMENT_BYTES_MAX);
    }

    /** Stages into the schema {@code public}. */
    public StagedJobs() {
        this(Schema.PUBLIC);
    }

    StagedJobs(Schema schema, long statementBytesMax) {
        this(schema.qualified("staged_jobs"), statementBytesMax, TraceContext.installed());
    }

    private StagedJobs(String table, long statementBytesMax, TraceContext trace) {
        // spotless:off
        String insert = "INSERT INTO " + table + " (job_id, topic, job_key, job_name, payload, headers)";
        this.insertOne = insert + " VALUES (?, ?, ?, ?, ?, ?::jsonb)";
        this.insertMany = insert + " SELECT j.job_id, j.topic, j.job_key, j.job_name, j.payload, j.headers::jsonb"
                + " FROM unnest(?::uuid[], ?::text[], ?::text[], ?::text[], ?::bytea[], ?::text[]) WITH ORDINALITY"
                + " AS j (job_id, topic, job_key, job_name, payload, headers, position)"
                + " ORDER BY j.position";
        // spotless:on
        this.table = table;
        this.statementBytesMax = statementBytesMax;
        this.trace = trace;
    }

    /**
     * Adds the headers of {@code trace} instead of those of {@link TraceContext#installed()}. A job that already has
     * one of them gets none.
     */
    public StagedJobs tracing(TraceContext trace) {
        return new StagedJobs(table, statementBytesMax, trace);
    }

    /** Stages one job on the connection's open transaction; returns the job's id. */
    public UUID stage(Connection connection, StagedJob job) {
        stage(connection, List.of(job));
        return job.id();
    }

    /**
     * Stages many jobs on the connection's open transaction, in one statement (more only beyond 64 MiB of payload). An
     * empty list does nothing.
     */
    public void stage(Connection connection, List<StagedJob> jobs) {
        Map<String, String> headers = trace.headers();
        write(
                connection,
                headers.isEmpty()
                        ? jobs
                        : jobs.stream().map(job -> job.withHeaders(headers)).toList());
    }

    /** The job to be written, with the current trace. */
    StagedJob traced(StagedJob job) {
        return job.withHeaders(trace.headers());
    }

    /** Stages jobs whose headers are complete. */
    void write(Connection connection, List<StagedJob> jobs) {
        try {
            if (connection.getAutoCommit()) {
                throw new NoTransactionException();
            }
            for (int from = 0; from < jobs.size(); ) {
                int to = endOfStatement(jobs, from);
                if (to - from == 1) {
                    insertOne(connection, jobs.get(from));
                } else {
                    insertMany(connection, jobs.subList(from, to));
                }
                from = to;
            }
        } catch (SQLException e) {
            throw StagingErrors.of(connection, jobs, e);
        }
    }

    /** As {@link #stage(Connection, StagedJob)}, on the connection of jOOQ's current transaction. */
    public UUID stage(DSLContext transaction, StagedJob job) {
        stage(transaction, List.of(job));
        return job.id();
    }

    /**
     * As {@link #stage(Connection, List)}, on the connection of jOOQ's current transaction, or of the current
     * transaction of a transaction-aware data source such as Spring's.
     *
     * @throws NoTransactionException if there is none: jOOQ would give its connection back at once, and a pool rolls
     *     back the transaction begun there
     */
    public void stage(DSLContext transaction, List<StagedJob> jobs) {
        transaction.connection(connection -> {
            if (!connection.getAutoCommit() && !givesOutAgain(transaction, connection)) {
                throw new NoTransactionException(
                        "cannot stage a job with a DSLContext outside of a transaction: its connection is not in"
                                + " autocommit mode, but would be given back at once, and the job would go with it."
                                + " Nothing was staged. Use the DSLContext of DSLContext.transaction(…), or a"
                                + " UnitOfWork.");
            }
            stage(connection, jobs);
        });
    }

    /** An open transaction gives its own connection again; a pool gives another one, or none at all. */
    private static boolean givesOutAgain(DSLContext transaction, Connection connection) throws SQLException {
        Object server = server(connection);
        try {
            return transaction.connectionResult(again -> server.equals(server(again)));
        } catch (DataAccessException noOther) {
            return false;
        }
    }

    /** Identifies a connection to the server. */
    private static Object server(Connection connection) throws SQLException {
        if (connection.isWrapperFor(PGConnection.class)) {
            return connection.unwrap(PGConnection.class);
        }
        try (Statement statement = connection.createStatement();
                ResultSet pid = statement.executeQuery("SELECT pg_backend_pid()")) {
            pid.next();
            return pid.getInt(1);
        }
    }

    boolean sameTable(StagedJobs other) {
        return table.equals(other.table);
    }

    private int endOfStatement(List<StagedJob> jobs, int from) {
        long bytes = 0;
        int to = from;
        do {
            byte[] payload = jobs.get(to).payload();
            bytes += payload == null ? 0 : payload.length;
            to++;
        } while (to < jobs.size() && bytes < statementBytesMax);
        return to;
    }

    /** For a single job, the usual case: arrays of one element cost the database and the driver a fifth more. */
    private void insertOne(Connection connection, StagedJob job) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(insertOne)) {
            statement.setObject(1, job.id());
            statement.setString(2, job.topic());
            statement.setString(3, job.key());
            statement.setString(4, job.name());
            statement.setBytes(5, job.payload());
            statement.setString(6, job.headersJson());
            statement.executeUpdate();
        }
    }

    /** Plain JDBC, because payloads travel as binary arrays: see docs/decisions/0002. */
    private void insertMany(Connection connection, List<StagedJob> jobs) throws SQLException {
        List<Array> arrays = new ArrayList<>();
        try (PreparedStatement statement = connection.prepareStatement(insertMany)) {
            arrays.add(array(connection, "uuid", jobs, StagedJob::id, new UUID[0]));
            arrays.add(array(connection, "text", jobs, StagedJob::topic, new String[0]));
            arrays.add(array(connection, "text", jobs, StagedJob::key, new String[0]));
            arrays.add(array(connection, "text", jobs, StagedJob::name, new String[0]));
            arrays.add(array(connection, "bytea", jobs, StagedJob::payload, new byte[0][]));
            arrays.add(array(connection, "text", jobs, StagedJob::headersJson, new String[0]));
            for (int i = 0; i < arrays.size(); i++) {
                statement.setArray(i + 1, arrays.get(i));
            }
            statement.executeUpdate();
        } finally {
            for (Array array : arrays) {
                array.free();
            }
        }
    }

    private static <T> Array array(
            Connection connection, String type, List<StagedJob> jobs, Function<StagedJob, @Nullable T> part, T[] empty)
            throws SQLException {
        return connection.createArrayOf(type, jobs.stream().map(part).toList().toArray(empty));
    }
}
