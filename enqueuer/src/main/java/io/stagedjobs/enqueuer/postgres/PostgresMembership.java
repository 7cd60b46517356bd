package io.stagedjobs.enqueuer.postgres;

import static org.jooq.impl.SQLDataType.BIGINT;

import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Membership;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.schema.Tables;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The enqueuers that share the lanes, in PostgreSQL. */
public final class PostgresMembership implements Membership {

    private static final Logger log = LoggerFactory.getLogger(PostgresMembership.class);

    /** The backlog is counted up to this number; beyond it PostgreSQL's estimate is used. */
    private static final int BACKLOG_COUNTED_MAX = 100_000;

    private static final int REASON_MAX = 2_000;

    /** Multiples of {@code takeover.after}. */
    private static final int FORGOTTEN_AFTER = 100;

    /**
     * The identity of this enqueuer.
     *
     * @param id a new one for each start
     * @param name for people, for example host and process id
     * @param delivery the configured mode
     * @param database the {@link DatabaseIdentity#id} of the database when the enqueuer started
     */
    public record Identity(UUID id, String name, DeliveryMode delivery, String database) {}

    private final Transactions transactions;
    private final Statements sql;
    private final Tables tables;
    private final Identity identity;
    private final Duration takeoverAfter;
    private volatile boolean registered;

    /** See {@link PostgresLanes#membership}. */
    PostgresMembership(Transactions transactions, Statements sql, Identity identity, Duration takeoverAfter) {
        this.transactions = transactions;
        this.sql = sql;
        this.tables = sql.tables;
        this.identity = identity;
        this.takeoverAfter = takeoverAfter;
    }

    @Override
    public Census beat() {
        Tables.Enqueuers all = tables.enqueuers;
        return transactions.call("renew the heartbeat", dsl -> {
            refuseOtherDatabase(dsl);
            int renewed = dsl.update(all.table)
                    .set(all.seenAt, DatabaseClock.now())
                    .where(all.enqueuer.eq(identity.id))
                    .execute();
            if (renewed == 0) {
                register(dsl);
            }
            // Much later than any enqueuer could still count them as alive.
            dsl.deleteFrom(all.table)
                    .where(all.seenAt.lt(DatabaseClock.ago(takeoverAfter.multipliedBy(FORGOTTEN_AFTER))))
                    .execute();
            List<UUID> enqueuers = dsl.select(all.enqueuer)
                    .from(all.table)
                    .where(all.seenAt.ge(DatabaseClock.ago(takeoverAfter)))
                    .orderBy(all.enqueuer)
                    .fetch(all.enqueuer);
            List<@Nullable UUID> owners = dsl.select(tables.lanes.owner)
                    .from(tables.lanes.table)
                    .orderBy(tables.lanes.lane)
                    .fetch(tables.lanes.owner);
            owners.replaceAll(owner -> owner != null && enqueuers.contains(owner) ? owner : null);
            Set<String> pauses =
                    dsl.select(tables.pauses.topic).from(tables.pauses.table).fetchSet(tables.pauses.topic);
            return new Census(identity.id, owners, enqueuers, pauses);
        });
    }

    private void refuseOtherDatabase(DSLContext dsl) {
        Field<UUID> now = tables.delivery.identity;
        if (!DatabaseIdentity.id(dsl.select(now).from(tables.delivery.table).fetchSingle(now))
                .equals(identity.database)) {
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "the delivery mode or the number of lanes was changed or chosen anew while this enqueuer was"
                            + " running; it takes no lane any more and has to be started again",
                    null);
        }
    }

    /**
     * If its row was deleted, it registers like a new enqueuer. It still owns the lanes that nobody took, since their
     * generation has not changed; the taken lanes have a newer generation.
     */
    private void register(DSLContext dsl) {
        if (registered) {
            log.warn("the other enqueuers deleted this one's row, because it showed no sign of life for a long"
                    + " time; it takes part again");
        }
        dsl.insertInto(tables.enqueuers.table)
                .set(tables.enqueuers.enqueuer, identity.id)
                .set(tables.enqueuers.name, identity.name)
                .set(tables.enqueuers.delivery, identity.delivery.toString())
                .execute();
        registered = true;
    }

    @Override
    public void report(List<Problem> problems) {
        transactions.call(
                "write down what does not work",
                dsl -> sql.reportProblems.execute(
                        dsl,
                        Map.of(
                                "places",
                                problems.stream().map(Problem::place).toArray(String[]::new),
                                "reasons",
                                problems.stream()
                                        .map(problem -> bounded(problem.reason()))
                                        .toArray(String[]::new),
                                "millis",
                                problems.stream()
                                        .map(problem -> problem.lasting().toMillis())
                                        .toArray(Long[]::new),
                                "enqueuer",
                                identity.id)));
    }

    /** As much as a person reads, and what PostgreSQL takes for text. */
    private static String bounded(String reason) {
        String words = reason.replace('\0', ' ');
        return words.length() <= REASON_MAX ? words : words.substring(0, REASON_MAX) + " …";
    }

    @Override
    public void giveBackStrays(Set<Integer> lanes) {
        transactions.call("give back lanes " + lanes, dsl -> giveBack(dsl, tables.lanes.lane.in(lanes)));
    }

    private int giveBack(DSLContext dsl, Condition lanes) {
        return dsl.update(tables.lanes.table)
                .setNull(tables.lanes.owner)
                .where(lanes, tables.lanes.owner.eq(identity.id))
                .execute();
    }

    @Override
    public Backlog backlog() {
        return transactions.call("measure the backlog", dsl -> {
            dsl.execute("SET LOCAL lock_timeout = '200ms'"); // a locked table must not delay the heartbeat
            double seconds = sql.oldestAge.query(dsl, Map.of()).fetchSingle().get("seconds", double.class);
            return new Backlog(
                    count(dsl, tables.stagedJobs),
                    Duration.ofMillis((long) (seconds * 1000)),
                    count(dsl, tables.parkedJobs));
        });
    }

    private static long count(DSLContext dsl, Tables.Jobs jobs) {
        long counted = dsl.fetchCount(dsl.selectOne().from(jobs.table).limit(BACKLOG_COUNTED_MAX));
        if (counted < BACKLOG_COUNTED_MAX) {
            return counted;
        }
        Field<Long> estimated = DSL.field(
                "coalesce(pg_stat_get_live_tuples({0}::regclass), 0)", BIGINT, DSL.inline(dsl.render(jobs.table)));
        return Math.max(counted, dsl.select(estimated).fetchSingle(estimated));
    }

    @Override
    public void leave() {
        transactions.call("leave", dsl -> {
            giveBack(dsl, DSL.trueCondition());
            return dsl.deleteFrom(tables.enqueuers.table)
                    .where(tables.enqueuers.enqueuer.eq(identity.id))
                    .execute();
        });
    }
}
