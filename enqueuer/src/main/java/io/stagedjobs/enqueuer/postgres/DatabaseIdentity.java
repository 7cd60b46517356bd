package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.SchemaException;
import java.sql.Connection;
import java.util.List;
import java.util.function.Consumer;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Which database this is for Kafka, and the delivery mode that it works in. The mode is the database's and not a process's: an
 * at-least-once enqueuer cannot be fenced, so that the two modes must never work on one database together.
 *
 * @param name unlike that of any other database, but for a copy of the cluster's files: PostgreSQL's system identifier, the
 *     database's number and {@code id}
 * @param id a random part that changes whenever the mode or the number of lanes is chosen
 * @param lanes how many there are
 */
public record DatabaseIdentity(String name, String id, int lanes) {

    /**
     * Reads it, and writes nothing.
     *
     * @param delivery the mode that the settings ask for
     * @throws ExternalFailureException with the way out, if the database works in the other mode
     */
    public static DatabaseIdentity read(Connection connection, Schema schema, DeliveryMode delivery) {
        try {
            Record row = DSL.using(connection, SQLDialect.POSTGRES)
                    .fetchSingle("SELECT d.delivery, left(d.identity::text, 8),"
                            + " (SELECT system_identifier FROM pg_catalog.pg_control_system()),"
                            + " (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())::text,"
                            + " (SELECT count(*) FROM " + schema.qualified("staged_job_lanes") + ") FROM "
                            + schema.qualified("staged_job_delivery") + " AS d");
            refuseOther(row.get(0, String.class), delivery);
            refuseOtherLanes(connection, schema, row.get(4, int.class));
            return new DatabaseIdentity(
                    row.get(2, String.class) + "-" + row.get(3, String.class) + "-" + row.get(1, String.class),
                    row.get(1, String.class),
                    row.get(4, int.class));
        } catch (DataAccessException e) {
            throw Transactions.outside("tell its delivery mode", e);
        }
    }

    /**
     * Decides the mode, if no enqueuer has done so before: called when everything else that the mode needs is there.
     *
     * @throws ExternalFailureException with the way out, if another enqueuer decided otherwise meanwhile
     */
    public static void join(Connection connection, Schema schema, DeliveryMode delivery) {
        String table = schema.qualified("staged_job_delivery");
        DSLContext dsl = DSL.using(connection, SQLDialect.POSTGRES);
        try {
            dsl.execute("UPDATE " + table + " SET delivery = ? WHERE delivery IS NULL", delivery.toString());
            refuseOther(dsl.fetchSingle("SELECT delivery FROM " + table).get(0, String.class), delivery);
        } catch (DataAccessException e) {
            throw Transactions.outside("record its delivery mode", e);
        }
    }

    private static void refuseOther(@Nullable String recorded, DeliveryMode delivery) {
        if (recorded != null && !recorded.equals(delivery.toString())) {
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "cannot work in delivery mode " + delivery + ": this database works in mode " + recorded
                            + ". Nothing was changed. Set STAGED_JOBS_DELIVERY=" + recorded
                            + ", or stop every enqueuer and change the mode with `staged-jobs migrate --change-delivery "
                            + delivery + "`.",
                    null);
        }
    }

    /** Jobs in a lane that nobody moves would wait for ever. */
    private static void refuseOtherLanes(Connection connection, Schema schema, int lanes) {
        int spread = schema.lanes(connection);
        if (spread != lanes || anyBeyond(DSL.using(connection, SQLDialect.POSTGRES), schema, lanes)) {
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "cannot move all jobs: there are " + lanes + " lanes (0 to " + (lanes - 1) + "), but "
                            + (spread == lanes ? "a job lies beyond them" : "new jobs are spread over " + spread)
                            + ", as after a restore of some of the tables. Nothing was changed. Stop every enqueuer and run"
                            + " `staged-jobs migrate --lanes " + lanes + "`, which gives all jobs their lanes again.",
                    null);
        }
    }

    /** Whether a job lies in a lane that does not exist: primary keys, their first and last entries. */
    private static boolean anyBeyond(DSLContext dsl, Schema schema, int lanes) {
        String beyond = "EXISTS (SELECT FROM %1$s WHERE lane >= ?) OR EXISTS (SELECT FROM %1$s WHERE lane < 0)";
        return dsl.fetchSingle(
                        "SELECT " + beyond.formatted(schema.qualified("staged_jobs")) + " OR "
                                + beyond.formatted(schema.qualified("parked_jobs")),
                        lanes,
                        lanes)
                .get(0, boolean.class);
    }

    /**
     * Changes the number of lanes, in a transaction of its own: waiting and moved-aside jobs get their new lanes. What Kafka
     * and the database remembered of each other is forgotten, and Kafka will know the database under a new name.
     *
     * @param lanes 1 to {@value Schema#LANES_MAX}
     * @param waiting is given a line for a person while somebody keeps a table locked
     * @return whether anything was to be done
     * @throws ExternalFailureException if an enqueuer lives, or ended without leaving while jobs wait
     * @throws SchemaException if the tables stay locked
     */
    public static boolean changeLanes(
            Connection connection, Schema schema, int lanes, long takeoverAfterMillis, Consumer<String> waiting) {
        if (lanes < 1 || lanes > Schema.LANES_MAX) {
            throw new IllegalArgumentException(
                    "the number of lanes must be 1 to " + Schema.LANES_MAX + ", not " + lanes);
        }
        String table = schema.qualified("staged_job_lanes");
        try {
            DSLContext asking = DSL.using(connection, SQLDialect.POSTGRES);
            boolean so = asking.fetchSingle("SELECT count(*) = ? FROM " + table, lanes)
                            .get(0, boolean.class)
                    && schema.lanes(connection) == lanes
                    && !anyBeyond(asking, schema, lanes);
            if (so) {
                return false;
            }
            schema.withoutWriters(connection, waiting, List.of("staged_job_lanes"), dsl -> {
                refuseLiving(dsl, schema, "change the number of lanes", takeoverAfterMillis);
                refuseUnsettled(dsl, schema);
                schema.spread(dsl, lanes);
                long generation = dsl.fetchSingle("SELECT coalesce(max(generation), 0) + 1 FROM " + table)
                        .get(0, long.class);
                dsl.execute("DELETE FROM " + table);
                dsl.execute(
                        "INSERT INTO " + table
                                + " (lane, generation) SELECT lane, ? FROM generate_series(0, ?) AS lane",
                        generation,
                        lanes - 1);
                beginAnew(dsl, schema);
            });
            return true;
        } catch (DataAccessException e) {
            throw e.getCause() instanceof ExternalFailureException refused
                    ? refused
                    : Transactions.outside("change the number of lanes", e);
        }
    }

    private static void refuseLiving(DSLContext dsl, Schema schema, String what, long takeoverAfterMillis) {
        long living = dsl.fetchSingle(
                        "SELECT count(*) FROM " + schema.qualified("staged_job_enqueuers")
                                + " WHERE seen_at >= clock_timestamp() - ? * interval '1 ms'",
                        takeoverAfterMillis)
                .get(0, long.class);
        if (living > 0) {
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "cannot " + what + " while enqueuers run: " + living + " did within the last "
                            + takeoverAfterMillis / 1000
                            + " s. Nothing was changed. Stop them all, then try again.",
                    null);
        }
    }

    /** An owner that was killed may have left a batch that Kafka holds and that is not deleted here: who forgets it repeats it. */
    private static void refuseUnsettled(DSLContext dsl, Schema schema) {
        String lanes = dsl.fetchSingle("SELECT string_agg(lane::text, ', ' ORDER BY lane) FROM "
                        + schema.qualified("staged_job_lanes") + " WHERE owner IS NOT NULL AND EXISTS (SELECT FROM "
                        + schema.qualified("staged_jobs") + ") AND EXISTS (SELECT FROM "
                        + schema.qualified("staged_job_delivery") + " WHERE delivery = 'exactly-once')")
                .get(0, String.class);
        if (lanes != null) {
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "cannot change the number of lanes while jobs wait and the last owner of lanes " + lanes
                            + " did not leave cleanly: Kafka may hold a batch of it that is not deleted here, and that would be"
                            + " published again. Nothing was changed. Run `staged-jobs drain` first.",
                    null);
        }
    }

    /** What Kafka and the database know of each other is forgotten. */
    private static void beginAnew(DSLContext dsl, Schema schema) {
        dsl.execute("DELETE FROM " + schema.qualified("staged_job_batches"));
        dsl.execute("UPDATE " + schema.qualified("staged_job_delivery") + " SET identity = gen_random_uuid()");
    }

    /**
     * Changes the mode, in a transaction of its own. What Kafka and the database remembered of each other is forgotten,
     * and Kafka will know the database under a new name.
     *
     * @throws ExternalFailureException if an enqueuer lives: all must be stopped
     */
    public static void change(Connection connection, Schema schema, DeliveryMode delivery, long takeoverAfterMillis) {
        try {
            DSL.using(connection, SQLDialect.POSTGRES).transaction(transaction -> {
                DSLContext dsl = transaction.dsl();
                dsl.execute("SET LOCAL lock_timeout = '5s'");
                dsl.execute("LOCK TABLE " + schema.qualified("staged_job_lanes") + " IN ACCESS EXCLUSIVE MODE");
                refuseLiving(dsl, schema, "change the delivery mode", takeoverAfterMillis);
                beginAnew(dsl, schema);
                dsl.execute("UPDATE " + schema.qualified("staged_job_lanes")
                        + " SET owner = NULL, generation = generation + 1");
                dsl.execute(
                        "UPDATE " + schema.qualified("staged_job_delivery") + " SET delivery = ?", delivery.toString());
            });
        } catch (DataAccessException e) {
            throw e.getCause() instanceof ExternalFailureException refused
                    ? refused
                    : Transactions.outside("change the delivery mode", e);
        }
    }
}
