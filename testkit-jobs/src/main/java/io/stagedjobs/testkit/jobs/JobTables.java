package io.stagedjobs.testkit.jobs;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.stagedjobs.StagedJob;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.jobs.FoundJob.State;
import java.sql.Connection;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.function.Predicate;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.conf.Settings;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Reads the tables {@code staged_jobs} and {@code parked_jobs} for a test.
 *
 * <p><b>Transaction</b>: with a data source, each query uses a connection of its own and sees committed jobs; with a
 * connection, it runs in that one's transaction and also sees jobs staged there. A unit of work writes its jobs just
 * before its commit, so its own block does not see them. <b>Shape</b>: each query reads both whole tables in one
 * statement, into memory. <b>Threads</b>: immutable; as always, only one thread at a time may use a connection.
 * <b>Failure</b>: an error of the database, as jOOQ's {@code DataAccessException}. The role needs SELECT on both
 * tables.
 */
public final class JobTables {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final TypeReference<Map<String, String>> HEADERS = new TypeReference<>() {};

    private final DSLContext dsl;
    private final Schema schema;

    private JobTables(DSLContext dsl, Schema schema) {
        this.dsl = dsl;
        this.schema = schema;
    }

    /** The tables in the schema {@code public}, as a new transaction sees them. */
    public static JobTables in(DataSource dataSource) {
        return new JobTables(DSL.using(dataSource, SQLDialect.POSTGRES, settings()), Schema.PUBLIC);
    }

    /**
     * The tables in the schema {@code public}, as the connection's transaction sees them; the caller keeps the
     * connection.
     */
    public static JobTables in(Connection connection) {
        return new JobTables(DSL.using(connection, SQLDialect.POSTGRES, settings()), Schema.PUBLIC);
    }

    /** The same, in another schema. */
    public JobTables schema(Schema schema) {
        return new JobTables(dsl, schema);
    }

    /** The jobs that wait to be published, in the order of positions. */
    public FoundJobs staged() {
        return find(job -> job.state() == State.STAGED);
    }

    /** The jobs that were moved aside, held or parked, in the order of positions. */
    public FoundJobs aside() {
        return find(job -> job.state() != State.STAGED);
    }

    /** All unpublished jobs, in the order of positions. */
    public FoundJobs all() {
        return find(job -> true);
    }

    private FoundJobs find(Predicate<FoundJob> wanted) {
        String columns = "SELECT id, job_id, topic, job_key, job_name, payload, headers::text AS headers, ";
        return new FoundJobs(dsl
                .fetch(columns + "'staged' AS state, NULL AS reason, NULL AS error FROM "
                        + schema.qualified("staged_jobs") + " UNION ALL " + columns
                        + "state, reason, error FROM " + schema.qualified("parked_jobs") + " ORDER BY id")
                .map(JobTables::job)
                .stream()
                .filter(wanted)
                .toList());
    }

    private static FoundJob job(Record row) {
        StagedJob.Builder job = StagedJob.builder(row.get("topic", String.class), row.get("job_name", String.class))
                .id(row.get("job_id", UUID.class))
                .key(row.get("job_key", String.class))
                .payload(row.get("payload", byte[].class));
        headers(row.get("headers", String.class)).forEach(job::header);
        return new FoundJob(
                job.build(),
                State.valueOf(row.get("state", String.class).toUpperCase(Locale.ROOT)),
                row.get("reason", String.class),
                row.get("error", String.class));
    }

    private static Map<String, String> headers(@Nullable String json) {
        try {
            return json == null ? Map.of() : JSON.readValue(json, HEADERS);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("the table took headers that are no object of strings: " + json, e);
        }
    }

    /** A test's queries do not belong in its application's log. */
    private static Settings settings() {
        return new Settings().withExecuteLogging(false);
    }
}
