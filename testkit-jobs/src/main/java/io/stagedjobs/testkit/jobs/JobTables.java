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
 * The tables {@code staged_jobs} and {@code parked_jobs}, as a test looks into them.
 *
 * <p><b>Transaction</b>: with a data source each look is on a connection of its own and sees what is committed; with a
 * connection it is in that one's transaction, and sees what was staged there too. A unit of work writes its jobs just
 * before its commit, so that its own block does not see them. <b>Shape</b>: a look reads both tables in one statement,
 * whole and into memory. <b>Threads</b>: immutable; a connection is used by one thread at a time as ever.
 * <b>Failure</b>: what the database says, as jOOQ's {@code DataAccessException}. The role needs SELECT on both tables.
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

    /** Those that a new transaction sees, in the schema {@code public}. */
    public static JobTables in(DataSource dataSource) {
        return new JobTables(DSL.using(dataSource, SQLDialect.POSTGRES, settings()), Schema.PUBLIC);
    }

    /**
     * Those that the connection's transaction sees, in the schema {@code public}; the connection stays the caller's.
     */
    public static JobTables in(Connection connection) {
        return new JobTables(DSL.using(connection, SQLDialect.POSTGRES, settings()), Schema.PUBLIC);
    }

    /** The same, in another schema. */
    public JobTables schema(Schema schema) {
        return new JobTables(dsl, schema);
    }

    /** What waits to be published, in the order of positions. */
    public FoundJobs staged() {
        return find(job -> job.state() == State.STAGED);
    }

    /** What was moved aside, held or parked, in the order of positions. */
    public FoundJobs aside() {
        return find(job -> job.state() != State.STAGED);
    }

    /** Everything that is not published, in the order of positions. */
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

    /** Statements of a test's looks do not belong into the log of its application. */
    private static Settings settings() {
        return new Settings().withExecuteLogging(false);
    }
}
