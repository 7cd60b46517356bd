package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.SchemaException;
import io.stagedjobs.schema.Tables;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Records;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * The database's name in Kafka, and its delivery mode. The mode belongs to the database and not to a process: an
 * at-least-once enqueuer cannot be fenced, so the two modes must never work on one database at the same time.
 *
 * @param name unique, except for a file copy of the cluster: PostgreSQL's system identifier, the database's number and
 *     {@code id}
 * @param id a random part that changes with each choice of the mode or of the number of lanes
 * @param lanes the number of lanes
 */
public record DatabaseIdentity(String name, String id, int lanes) {

    private static final int ID_LENGTH = 8;

    private record Found(@Nullable String delivery, UUID identity, String system, String database, int lanes) {}

    /** The random part of {@link #name}. */
    static String id(UUID identity) {
        return identity.toString().substring(0, ID_LENGTH);
    }

    /**
     * Reads it; writes nothing.
     *
     * @param delivery the mode that the settings ask for
     * @throws ExternalFailureException if the database is in the other mode; the message says what to do
     */
    public static DatabaseIdentity read(Connection connection, Schema schema, DeliveryMode delivery) {
        Tables tables = new Tables(schema);
        return Transactions.asked("read its delivery mode", () -> {
            Found found = DSL.using(connection, SQLDialect.POSTGRES)
                    .select(
                            tables.delivery.delivery,
                            tables.delivery.identity,
                            DSL.field(
                                    "(SELECT system_identifier::text FROM pg_catalog.pg_control_system())",
                                    SQLDataType.CLOB),
                            DSL.field(
                                    "(SELECT oid::text FROM pg_catalog.pg_database WHERE datname = current_database())",
                                    SQLDataType.CLOB),
                            DSL.field(DSL.selectCount().from(tables.lanes.table)))
                    .from(tables.delivery.table)
                    .fetchSingle(Records.mapping(Found::new));
            refuseOther(found.delivery, delivery);
            refuseOtherLanes(connection, schema, found.lanes);
            String id = id(found.identity);
            return new DatabaseIdentity(found.system + "-" + found.database + "-" + id, id, found.lanes);
        });
    }

    /**
     * Records the mode, if no enqueuer has done so before. Call this when everything else that the mode needs is there.
     *
     * @throws ExternalFailureException if another enqueuer recorded the other mode meanwhile; the message says what to
     *     do
     */
    public static void join(Connection connection, Schema schema, DeliveryMode delivery) {
        Tables.Delivery table = new Tables(schema).delivery;
        DSLContext dsl = DSL.using(connection, SQLDialect.POSTGRES);
        String recorded = Transactions.asked("record its delivery mode", () -> {
            dsl.update(table.table)
                    .set(table.delivery, delivery.toString())
                    .where(table.delivery.isNull())
                    .execute();
            return dsl.select(table.delivery).from(table.table).fetchSingle(table.delivery);
        });
        refuseOther(recorded, delivery);
    }

    private static void refuseOther(@Nullable String recorded, DeliveryMode delivery) {
        if (recorded != null && !recorded.equals(delivery.toString())) {
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "cannot work in delivery mode " + delivery + ": this database works in mode " + recorded
                            + ". Nothing was changed. Set STAGED_JOBS_DELIVERY=" + recorded
                            + ", or stop every enqueuer and change the mode with"
                            + " `staged-jobs migrate --change-delivery " + delivery + "`.",
                    null);
        }
    }

    /** Jobs in a lane without an owner would wait for ever. */
    private static void refuseOtherLanes(Connection connection, Schema schema, int lanes) {
        int spread = schema.lanes(connection);
        if (spread != lanes || anyBeyond(DSL.using(connection, SQLDialect.POSTGRES), schema, lanes)) {
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "cannot move all jobs: there are " + lanes + " lanes (0 to " + (lanes - 1) + "), but "
                            + (spread == lanes ? "a job lies beyond them" : "new jobs are spread over " + spread)
                            + ", as after a restore of some of the tables. Nothing was changed. Stop every enqueuer"
                            + " and run `staged-jobs migrate --lanes " + lanes
                            + "`, which gives all jobs their lanes again.",
                    null);
        }
    }

    /** Whether a job lies in a lane that does not exist: primary keys, their first and last entries. */
    private static boolean anyBeyond(DSLContext dsl, Schema schema, int lanes) {
        Tables tables = new Tables(schema);
        return dsl.select(DSL.field(anyBeyond(tables.stagedJobs, lanes).or(anyBeyond(tables.parkedJobs, lanes))))
                .fetchSingle()
                .value1();
    }

    private static Condition anyBeyond(Tables.Jobs jobs, int lanes) {
        return DSL.exists(DSL.selectOne().from(jobs.table).where(jobs.lane.ge(lanes)))
                .orExists(DSL.selectOne().from(jobs.table).where(jobs.lane.lt(0)));
    }

    /**
     * Changes the number of lanes, in a transaction of its own: waiting jobs and those moved aside get their new lanes.
     * It deletes the numbers of all batches, and gives the database a new name in Kafka.
     *
     * @param lanes 1 to {@value Schema#LANES_MAX}
     * @param waiting receives a line for a person while another session keeps a table locked
     * @return whether anything changed
     * @throws ExternalFailureException if an enqueuer is alive, or ended without leaving while jobs wait
     * @throws SchemaException if the tables stay locked
     */
    public static boolean changeLanes(
            Connection connection, Schema schema, int lanes, long takeoverAfterMillis, Consumer<String> waiting) {
        if (lanes < 1 || lanes > Schema.LANES_MAX) {
            throw new IllegalArgumentException(
                    "the number of lanes must be 1 to " + Schema.LANES_MAX + ", not " + lanes);
        }
        Tables.Lanes table = new Tables(schema).lanes;
        try {
            DSLContext asking = DSL.using(connection, SQLDialect.POSTGRES);
            if (asking.fetchCount(table.table) == lanes
                    && schema.lanes(connection) == lanes
                    && !anyBeyond(asking, schema, lanes)) {
                return false;
            }
            schema.withoutWriters(connection, waiting, List.of("staged_job_lanes"), dsl -> {
                refuseLiving(dsl, schema, "change the number of lanes", takeoverAfterMillis);
                refuseUnsettled(dsl, schema);
                schema.spread(dsl, lanes);
                Field<Long> generation =
                        DSL.coalesce(DSL.max(table.generation), DSL.inline(0L)).plus(1);
                long next = dsl.select(generation).from(table.table).fetchSingle(generation);
                dsl.deleteFrom(table.table).execute();
                dsl.insertInto(table.table, table.lane, table.generation)
                        .valuesOfRows(IntStream.range(0, lanes)
                                .mapToObj(lane -> DSL.row(lane, next))
                                .toList())
                        .execute();
                beginAnew(dsl, schema);
            });
            return true;
        } catch (DataAccessException e) {
            throw refusal("change the number of lanes", e);
        }
    }

    /** Our own refusal, which jOOQ has wrapped, or what PostgreSQL said. */
    private static ExternalFailureException refusal(String what, DataAccessException e) {
        return e.getCause() instanceof ExternalFailureException ours ? ours : Transactions.outside(what, e);
    }

    private static void refuseLiving(DSLContext dsl, Schema schema, String what, long takeoverAfterMillis) {
        Tables.Enqueuers enqueuers = new Tables(schema).enqueuers;
        int living = dsl.fetchCount(
                enqueuers.table, enqueuers.seenAt.ge(DatabaseClock.ago(Duration.ofMillis(takeoverAfterMillis))));
        if (living > 0) {
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "cannot " + what + " while enqueuers run: " + living + " did within the last "
                            + takeoverAfterMillis / 1000
                            + " s. Nothing was changed. Stop them all, then try again.",
                    null);
        }
    }

    /**
     * A killed owner may have left a batch that Kafka has and that is not deleted here: forgetting it would repeat it.
     */
    private static void refuseUnsettled(DSLContext dsl, Schema schema) {
        Tables tables = new Tables(schema);
        List<Integer> lanes = dsl.select(tables.lanes.lane)
                .from(tables.lanes.table)
                .where(
                        tables.lanes.owner.isNotNull(),
                        DSL.exists(DSL.selectOne().from(tables.stagedJobs.table)),
                        DSL.exists(DSL.selectOne()
                                .from(tables.delivery.table)
                                .where(tables.delivery.delivery.eq(DeliveryMode.EXACTLY_ONCE.toString()))))
                .orderBy(tables.lanes.lane)
                .fetch(tables.lanes.lane);
        if (!lanes.isEmpty()) {
            String named = lanes.stream().map(String::valueOf).collect(Collectors.joining(", "));
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "cannot change the number of lanes while jobs wait and the last owner of lanes " + named
                            + " did not leave cleanly: Kafka may hold a batch of it that is not deleted here, and"
                            + " that would be published again. Nothing was changed. Run `staged-jobs drain` first.",
                    null);
        }
    }

    /** Forgets what Kafka and the database know of each other. */
    private static void beginAnew(DSLContext dsl, Schema schema) {
        Tables tables = new Tables(schema);
        dsl.deleteFrom(tables.batches.table).execute();
        dsl.update(tables.delivery.table)
                .set(tables.delivery.identity, DSL.field("gen_random_uuid()", SQLDataType.UUID))
                .execute();
    }

    /**
     * Changes the mode, in a transaction of its own. It deletes the numbers of all batches, and gives the database a
     * new name in Kafka.
     *
     * @throws ExternalFailureException if an enqueuer is alive: all must be stopped
     */
    public static void change(Connection connection, Schema schema, DeliveryMode delivery, long takeoverAfterMillis) {
        try {
            DSL.using(connection, SQLDialect.POSTGRES).transaction(transaction -> {
                DSLContext dsl = transaction.dsl();
                dsl.execute("SET LOCAL lock_timeout = '5s'");
                dsl.execute("LOCK TABLE " + schema.qualified("staged_job_lanes") + " IN ACCESS EXCLUSIVE MODE");
                refuseLiving(dsl, schema, "change the delivery mode", takeoverAfterMillis);
                beginAnew(dsl, schema);
                Tables tables = new Tables(schema);
                dsl.update(tables.lanes.table)
                        .setNull(tables.lanes.owner)
                        .set(tables.lanes.generation, tables.lanes.generation.plus(1))
                        .execute();
                dsl.update(tables.delivery.table)
                        .set(tables.delivery.delivery, delivery.toString())
                        .execute();
            });
        } catch (DataAccessException e) {
            throw refusal("change the delivery mode", e);
        }
    }
}
