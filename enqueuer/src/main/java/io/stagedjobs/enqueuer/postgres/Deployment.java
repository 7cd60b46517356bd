package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.OutsideException;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
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
 * @param id a random part that changes whenever the mode is chosen
 * @param lanes how many there are
 */
public record Deployment(String name, String id, int lanes) {

    /**
     * Reads it, and writes nothing.
     *
     * @param delivery the mode that the settings ask for
     * @throws OutsideException with the way out, if the database works in the other mode
     */
    public static Deployment read(Connection connection, Schema schema, String delivery) {
        try {
            Record row = DSL.using(connection, SQLDialect.POSTGRES)
                    .fetchSingle("SELECT d.delivery, left(d.deployment::text, 8),"
                            + " (SELECT system_identifier FROM pg_catalog.pg_control_system()),"
                            + " (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())::text,"
                            + " (SELECT count(*) FROM " + schema.qualified("staged_job_lanes") + ") FROM "
                            + schema.qualified("staged_job_delivery") + " AS d");
            refuseOther(row.get(0, String.class), delivery);
            return new Deployment(
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
     * @throws OutsideException with the way out, if another enqueuer decided otherwise meanwhile
     */
    public static void join(Connection connection, Schema schema, String delivery) {
        String table = schema.qualified("staged_job_delivery");
        DSLContext dsl = DSL.using(connection, SQLDialect.POSTGRES);
        try {
            dsl.execute("UPDATE " + table + " SET delivery = ? WHERE delivery IS NULL", delivery);
            refuseOther(dsl.fetchSingle("SELECT delivery FROM " + table).get(0, String.class), delivery);
        } catch (DataAccessException e) {
            throw Transactions.outside("record its delivery mode", e);
        }
    }

    private static void refuseOther(@Nullable String recorded, String delivery) {
        if (recorded != null && !recorded.equals(delivery)) {
            throw new OutsideException(
                    OutsideException.Side.POSTGRESQL,
                    "cannot work in delivery mode " + delivery + ": this database works in mode " + recorded
                            + ". Nothing was changed. Set STAGED_JOBS_DELIVERY=" + recorded
                            + ", or stop every enqueuer and change the mode with `staged-jobs migrate --change-delivery "
                            + delivery + "`.",
                    null);
        }
    }

    /**
     * Changes the mode, in a transaction of its own. What Kafka and the database remembered of each other is forgotten,
     * and Kafka will know the database under a new name.
     *
     * @throws OutsideException if an enqueuer lives: all must be stopped
     */
    public static void change(Connection connection, Schema schema, String delivery, long takeoverAfterMillis) {
        try {
            DSL.using(connection, SQLDialect.POSTGRES).transaction(transaction -> {
                DSLContext dsl = transaction.dsl();
                dsl.execute("SET LOCAL lock_timeout = '5s'");
                dsl.execute("LOCK TABLE " + schema.qualified("staged_job_lanes") + " IN ACCESS EXCLUSIVE MODE");
                long living = dsl.fetchSingle(
                                "SELECT count(*) FROM " + schema.qualified("staged_job_enqueuers")
                                        + " WHERE seen_at >= clock_timestamp() - ? * interval '1 ms'",
                                takeoverAfterMillis)
                        .get(0, long.class);
                if (living > 0) {
                    throw new OutsideException(
                            OutsideException.Side.POSTGRESQL,
                            "cannot change the delivery mode while enqueuers run: " + living + " did within the last "
                                    + takeoverAfterMillis / 1000
                                    + " s. Nothing was changed. Stop them all, then try again.",
                            null);
                }
                dsl.execute("DELETE FROM " + schema.qualified("staged_job_batches"));
                dsl.execute("UPDATE " + schema.qualified("staged_job_lanes")
                        + " SET owner = NULL, generation = generation + 1");
                dsl.execute(
                        "UPDATE " + schema.qualified("staged_job_delivery")
                                + " SET delivery = ?, deployment = gen_random_uuid()",
                        delivery);
            });
        } catch (DataAccessException e) {
            throw e.getCause() instanceof OutsideException refused
                    ? refused
                    : Transactions.outside("change the delivery mode", e);
        }
    }
}
