package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.LaneTransaction;
import io.stagedjobs.enqueuer.Lanes;
import io.stagedjobs.enqueuer.OutsideException;
import io.stagedjobs.enqueuer.postgres.PostgresLaneTransaction.Locked;
import io.stagedjobs.schema.Schema;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The lanes in PostgreSQL. */
public final class PostgresLanes implements Lanes {

    private static final Logger log = LoggerFactory.getLogger(PostgresLanes.class);

    /** Up to here the backlog is counted, beyond it PostgreSQL's estimate has to do. */
    private static final int BACKLOG_COUNTED_MAX = 100_000;

    /**
     * Who this enqueuer is.
     *
     * @param id a new one for each start
     * @param name for people, for example host and process id
     * @param delivery the delivery mode, as it is configured
     * @param deployment under which Kafka knew this database when the enqueuer started
     */
    public record Identity(UUID id, String name, String delivery, String deployment) {}

    private final Transactions transactions;
    private final Statements sql;
    private final Identity identity;
    private final Duration takeoverAfter;

    /**
     * Works on connections of a pool.
     *
     * @param takeoverAfter an enqueuer whose row is older than this lives no more
     * @param publishTimeout how long a claimed batch may wait for Kafka
     */
    public PostgresLanes(
            DataSource dataSource, Schema schema, Identity identity, Duration takeoverAfter, Duration publishTimeout) {
        this.transactions = new Transactions(dataSource, identity.id, publishTimeout);
        this.sql = new Statements(schema);
        this.identity = identity;
        this.takeoverAfter = takeoverAfter;
    }

    @Override
    public Census beat() {
        return transactions.call("renew the heartbeat", dsl -> {
            if (!dsl.fetchSingle(sql.sameDeployment, identity.deployment).get(0, boolean.class)) {
                throw new OutsideException(
                        OutsideException.Side.POSTGRESQL,
                        "the delivery mode or the number of lanes was changed or chosen anew while this enqueuer was running;"
                                + " it takes no lane"
                                + " any more and has to be started again",
                        null);
            }
            dsl.execute(sql.renew, identity.id, identity.name, identity.delivery);
            dsl.execute(sql.forgetDead, takeoverAfter.toMillis());
            List<UUID> enqueuers =
                    dsl.fetch(sql.living, takeoverAfter.toMillis()).getValues(0, UUID.class);
            List<@Nullable UUID> owners = dsl.fetch(sql.owners).getValues(0, UUID.class);
            owners.replaceAll(owner -> owner != null && enqueuers.contains(owner) ? owner : null);
            Set<String> pauses = dsl.fetch(sql.pauses).intoSet(0, String.class);
            return new Census(identity.id, owners, enqueuers, pauses);
        });
    }

    @Override
    public OptionalLong take(int lane) {
        return transactions.call("take lane " + lane, dsl -> {
            int ended = dsl.fetch(sql.endOrphans, identity.id, lane, lane, identity.id, takeoverAfter.toMillis())
                    .size();
            if (ended > 0) {
                log.warn(
                        "lane {}: ended {} open transaction(s) of an owner that shows no sign of life, or of our own that lost"
                                + " its connection",
                        lane,
                        ended);
            }
            Record taken = dsl.fetchOne(
                    sql.take, identity.id, lane, identity.id, takeoverAfter.toMillis(), identity.deployment);
            return taken == null ? OptionalLong.empty() : OptionalLong.of(taken.get(0, long.class));
        });
    }

    @Override
    public void giveBack(int lane, long generation) {
        transactions.call("give back lane " + lane, dsl -> dsl.execute(sql.giveBack, lane, generation, identity.id));
    }

    @Override
    public void giveBack(Set<Integer> lanes) {
        transactions.call(
                "give back lanes " + lanes,
                dsl -> dsl.execute(sql.giveBackStrays, lanes.toArray(new Integer[0]), identity.id));
    }

    @Override
    public Set<Integer> waiting(Map<Integer, Start> resting) {
        List<Map.Entry<Integer, Start>> all = List.copyOf(resting.entrySet());
        List<Map.Entry<Integer, String>> exceptions = all.stream()
                .flatMap(one -> one.getValue().exceptions().stream().map(writer -> Map.entry(one.getKey(), writer)))
                .toList();
        try (Transactions.Open transaction = transactions.begin()) {
            return transaction.query(
                    "look at lanes " + resting.keySet(),
                    sql.waiting,
                    rows -> {
                        Set<Integer> waiting = new HashSet<>();
                        while (rows.next()) {
                            waiting.add(rows.getInt(1));
                        }
                        return waiting;
                    },
                    all.stream().map(Map.Entry::getKey).toArray(Integer[]::new),
                    all.stream().map(one -> one.getValue().generation()).toArray(Long[]::new),
                    all.stream().map(one -> one.getValue().era()).toArray(String[]::new),
                    all.stream().map(one -> one.getValue().after()).toArray(Long[]::new),
                    exceptions.stream().map(Map.Entry::getKey).toArray(Integer[]::new),
                    exceptions.stream().map(Map.Entry::getValue).toArray(String[]::new));
        }
    }

    @Override
    public Reading readHorizon() {
        return transactions.call("look how far ids are settled", dsl -> {
            Record last = dsl.fetchSingle(sql.lastId);
            if (!dsl.fetchSingle(sql.logFlushed).get(0, boolean.class)) {
                dsl.execute(sql.writeToLog); // the commit puts it on disk with all that is before it
            }
            return new Reading(
                    last.get(0, String.class),
                    last.get(1, long.class),
                    dsl.fetch(sql.writers).intoSet(0, String.class));
        });
    }

    @Override
    public Optional<LaneTransaction> begin(int lane, long generation) {
        Transactions.Open transaction = transactions.begin(lane);
        long asked = System.nanoTime();
        try {
            // A statement of its own before any row is read: what waited for the lock must not fix the snapshot.
            Optional<Locked> locked = transaction.query(
                    "lock lane " + lane,
                    sql.lock,
                    row -> row.next()
                            ? Optional.of(new Locked(
                                    row.getLong(1),
                                    row.getString(2),
                                    row.getObject(3, OffsetDateTime.class).toInstant(),
                                    asked))
                            : Optional.empty(),
                    lane);
            if (locked.isPresent() && locked.get().generation() == generation) {
                return Optional.of(new PostgresLaneTransaction(transaction, transactions, sql, lane, locked.get()));
            }
            transaction.close();
            return Optional.empty();
        } catch (RuntimeException e) {
            transaction.close();
            throw e;
        }
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
