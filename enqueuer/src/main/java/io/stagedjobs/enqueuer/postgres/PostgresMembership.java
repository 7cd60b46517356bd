package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Membership;
import io.stagedjobs.enqueuer.Origin;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.jooq.DSLContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The enqueuers that share the lanes, in PostgreSQL. */
public final class PostgresMembership implements Membership {

    private static final Logger log = LoggerFactory.getLogger(PostgresMembership.class);

    /** Up to here the backlog is counted, beyond it PostgreSQL's estimate has to do. */
    private static final int BACKLOG_COUNTED_MAX = 100_000;

    /**
     * Who this enqueuer is.
     *
     * @param id a new one for each start
     * @param name for people, for example host and process id
     * @param delivery as it is configured
     * @param database which one it was when the enqueuer started: its {@link DatabaseIdentity#id}
     */
    public record Identity(UUID id, String name, DeliveryMode delivery, String database) {}

    private final Transactions transactions;
    private final Statements sql;
    private final Identity identity;
    private final Duration takeoverAfter;
    private volatile boolean registered;

    /** See {@link PostgresLanes#membership}. */
    PostgresMembership(Transactions transactions, Statements sql, Identity identity, Duration takeoverAfter) {
        this.transactions = transactions;
        this.sql = sql;
        this.identity = identity;
        this.takeoverAfter = takeoverAfter;
    }

    @Override
    public Census beat() {
        return transactions.call("renew the heartbeat", dsl -> {
            if (!dsl.fetchSingle(sql.sameDatabase, identity.database).get(0, boolean.class)) {
                throw new ExternalFailureException(
                        Origin.POSTGRESQL,
                        "the delivery mode or the number of lanes was changed or chosen anew while this enqueuer was"
                                + " running; it takes no lane"
                                + " any more and has to be started again",
                        null);
            }
            if (dsl.execute(sql.renew, identity.id) == 0) {
                register(dsl);
            }
            dsl.execute(sql.forgetDead, takeoverAfter.toMillis());
            List<UUID> enqueuers =
                    dsl.fetch(sql.living, takeoverAfter.toMillis()).getValues(0, UUID.class);
            List<@Nullable UUID> owners = dsl.fetch(sql.owners).getValues(0, UUID.class);
            owners.replaceAll(owner -> owner != null && enqueuers.contains(owner) ? owner : null);
            Set<String> pauses = dsl.fetch(sql.pauses).intoSet(0, String.class);
            return new Census(identity.id, owners, enqueuers, pauses);
        });
    }

    /**
     * Once forgotten, it is as one that comes: what it owned and nobody took meanwhile is still its own, since no generation has
     * changed; what was taken it meets under a newer one.
     */
    private void register(DSLContext dsl) {
        if (registered) {
            log.warn(
                    "the other enqueuers have forgotten this one, which showed no sign of life for long; it takes part again");
        }
        dsl.execute(sql.register, identity.id, identity.name, identity.delivery.toString());
        registered = true;
    }

    @Override
    public void giveBackStrays(Set<Integer> lanes) {
        transactions.call(
                "give back lanes " + lanes,
                dsl -> dsl.execute(sql.giveBackStrays, lanes.toArray(new Integer[0]), identity.id));
    }

    @Override
    public Backlog backlog() {
        return transactions.call("measure the backlog", dsl -> {
            dsl.execute(sql.waitForLocksBriefly);
            double seconds = dsl.fetchSingle(sql.oldestAge).get(0, double.class);
            return new Backlog(
                    count(dsl, sql.countBounded, sql.countEstimated),
                    Duration.ofMillis((long) (seconds * 1000)),
                    count(dsl, sql.countAsideBounded, sql.countAsideEstimated));
        });
    }

    private static long count(DSLContext dsl, String bounded, String estimated) {
        long counted = dsl.fetchSingle(bounded, BACKLOG_COUNTED_MAX).get(0, long.class);
        return counted < BACKLOG_COUNTED_MAX
                ? counted
                : Math.max(counted, dsl.fetchSingle(estimated).get(0, long.class));
    }

    @Override
    public void leave() {
        transactions.call("leave", dsl -> {
            dsl.execute(sql.giveBackAll, identity.id);
            return dsl.execute(sql.forgetMe, identity.id);
        });
    }
}
