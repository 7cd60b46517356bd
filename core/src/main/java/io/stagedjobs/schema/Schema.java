package io.stagedjobs.schema;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.sql.Connection;
import java.util.List;
import java.util.function.Consumer;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/**
 * The PostgreSQL schema that holds the tables of Staged Jobs: its name, its migrations and its version.
 *
 * <p>Immutable, thread-safe. A method that takes a connection uses it only in the calling thread and leaves it open.
 */
public final class Schema {

    /** The default schema. */
    public static final Schema PUBLIC = new Schema("public");

    /** The largest payload in bytes by default; {@link #limitPayload} sets another limit. */
    public static final int PAYLOAD_BYTES_MAX_DEFAULT = 900_000;

    /** The largest payload that {@link #limitPayload} allows. */
    public static final int PAYLOAD_BYTES_MAX = 100_000_000;

    /** The largest number of lanes. */
    public static final int LANES_MAX = 64;

    private static final Migrations MIGRATIONS = new Migrations(
            Schema.class,
            List.of(
                    "V001__staged_jobs.sql",
                    "V002__exactly_once.sql",
                    "V003__parked_jobs.sql",
                    "V004__idempotency_keys.sql"),
            "staged_jobs_schema",
            "the tables of Staged Jobs",
            "staged-jobs migrate");

    private static final int NAME_BYTES_MAX = 63;

    private final String name;

    private Schema(String name) {
        this.name = name;
    }

    /**
     * @param name the schema's name, without quotes; case-sensitive
     * @throws IllegalArgumentException if the name is invalid in PostgreSQL
     */
    public static Schema named(String name) {
        if (name.isEmpty() || name.indexOf('\0') >= 0 || name.getBytes(UTF_8).length > NAME_BYTES_MAX) {
            throw new IllegalArgumentException("a schema's name has 1 to 63 bytes and no NUL, not \"" + name + "\"");
        }
        return new Schema(name);
    }

    /** The schema's name, without quotes. */
    public String name() {
        return name;
    }

    /** {@code "schema"}, quoted for use in SQL. */
    public String quotedName() {
        return quoted(name);
    }

    /** {@code "schema"."object"}, quoted for use in SQL. */
    public String qualified(String object) {
        return quotedName() + "." + quoted(object);
    }

    /** The newest version that this software knows. */
    public static int versionKnown() {
        return MIGRATIONS.versionKnown();
    }

    /** The installed version, 0 if there is none. */
    public int version(Connection connection) {
        return MIGRATIONS.version(connection, this);
    }

    /**
     * Requires that the installed version is the one that this software knows.
     *
     * @throws SchemaException if it is not; the message says what to do
     */
    public void requireCurrent(Connection connection) {
        MIGRATIONS.requireCurrent(connection, this);
    }

    /**
     * Installs or upgrades the tables, in one transaction of its own. Many processes may call this at once: one of them
     * works, the others wait and find nothing left to do. If the tables are current, it locks nothing.
     *
     * @param connection a connection without an open transaction, whose role may create objects
     * @return the number of applied migrations, 0 if the schema was current
     * @throws SchemaException if the installed version is newer than this software, or the server cannot hold the
     *     tables
     * @throws DataAccessException if the database refuses; nothing was changed
     */
    public int migrate(Connection connection) {
        return MIGRATIONS.apply(connection, this);
    }

    /**
     * Sets the largest payload that the table takes, in a transaction of its own. This does not affect jobs that
     * already wait or are moved aside. The operator must also raise Kafka's own limits (the topics' {@code
     * max.message.bytes}, the enqueuer's {@code max.request.size}).
     *
     * @param bytes 1 to 100 000 000
     * @param waiting receives a line for a person while another session keeps the table locked
     * @throws SchemaException if the table stays locked; nothing was changed
     */
    public void limitPayload(Connection connection, int bytes, Consumer<String> waiting) {
        if (bytes < 1 || bytes > PAYLOAD_BYTES_MAX) {
            throw new IllegalArgumentException(
                    "the payload limit must be 1 to " + PAYLOAD_BYTES_MAX + " bytes, not " + bytes);
        }
        requireCurrent(connection);
        withoutWriters(connection, waiting, List.of(), dsl -> {
            // A job staged before the change may stay: if it was moved aside, it returns under its old id.
            long last = dsl.fetchSingle("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM "
                            + qualified("staged_jobs_id_seq"))
                    .get(0, long.class);
            new StagingTrigger(StagingTrigger.read(dsl, this).lanes(), bytes, last).replace(dsl, this);
        });
    }

    /**
     * The number of lanes for new jobs.
     *
     * @throws SchemaException if the trigger that spreads them is missing or switched off; the message says what to do
     */
    public int lanes(Connection connection) {
        return StagingTrigger.read(DSL.using(connection, SQLDialect.POSTGRES), this)
                .lanes();
    }

    /**
     * The largest payload that may be staged, in bytes.
     *
     * @throws SchemaException as {@link #lanes} does
     */
    public int payloadBytesMax(Connection connection) {
        return StagingTrigger.read(DSL.using(connection, SQLDialect.POSTGRES), this)
                .payloadBytesMax();
    }

    /**
     * Spreads new jobs, waiting ones and those moved aside over this number of lanes.
     *
     * @param transaction a transaction of {@link #withoutWriters}, while no enqueuer works
     * @param lanes 1 to {@value #LANES_MAX}
     */
    public void spread(DSLContext transaction, int lanes) {
        StagingTrigger before = StagingTrigger.read(transaction, this);
        new StagingTrigger(lanes, before.payloadBytesMax(), before.unlimitedUpToId()).replace(transaction, this);
        for (String table : List.of("staged_jobs", "parked_jobs")) {
            transaction.execute(
                    "UPDATE " + qualified(table) + " SET lane = " + laneOf(lanes) + " WHERE lane <> " + laneOf(lanes));
        }
    }

    /** A job's lane, as the trigger computes it. */
    private static String laneOf(int lanes) {
        return "(CASE WHEN job_key IS NULL THEN id ELSE hashtextextended(job_key COLLATE \"C\","
                + " hashtextextended(topic COLLATE \"C\", 0)) END & 9223372036854775807) % " + lanes;
    }

    /**
     * Runs {@code change} in a transaction in which nobody else writes jobs: all earlier writers have committed or
     * rolled back, all later ones wait. It waits for sessions that lock the table, at most 20 times for two seconds; in
     * between, writers get their turn.
     *
     * @param waiting receives a line for a person that names the sessions which lock the table
     * @param alone other tables of this schema that nobody else may even read meanwhile; they are locked first
     * @throws SchemaException if a table stays locked; nothing was changed
     */
    public void withoutWriters(
            Connection connection, Consumer<String> waiting, List<String> alone, Consumer<DSLContext> change) {
        new WriterLock(this, alone).run(DSL.using(connection, SQLDialect.POSTGRES), waiting, change);
    }

    private static String quoted(String identifier) {
        return '"' + identifier.replace("\"", "\"\"") + '"';
    }
}
