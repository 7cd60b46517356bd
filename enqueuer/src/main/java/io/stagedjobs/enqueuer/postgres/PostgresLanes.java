package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.ClaimResult;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.LaneTransaction;
import io.stagedjobs.enqueuer.LaneTransaction.Read;
import io.stagedjobs.enqueuer.Lanes;
import io.stagedjobs.enqueuer.ReadCriteria;
import io.stagedjobs.enqueuer.postgres.Statements.JobRead;
import io.stagedjobs.enqueuer.postgres.Statements.Message;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;
import java.sql.ResultSet;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The lanes in PostgreSQL. */
public final class PostgresLanes implements Lanes {

    private static final Logger log = LoggerFactory.getLogger(PostgresLanes.class);

    private final Transactions transactions;
    private final Statements sql;
    private final PostgresMembership.Identity identity;
    private final Duration takeoverAfter;

    /**
     * Works on connections of a pool.
     *
     * @param takeoverAfter an enqueuer whose row is older than this is dead
     * @param publishTimeout how long a claimed batch may wait for Kafka
     */
    public PostgresLanes(
            DataSource dataSource,
            Schema schema,
            PostgresMembership.Identity identity,
            Duration takeoverAfter,
            Duration publishTimeout) {
        this.transactions = new Transactions(dataSource, identity.id(), publishTimeout);
        this.sql = new Statements(schema);
        this.identity = identity;
        this.takeoverAfter = takeoverAfter;
    }

    /** The membership of the same enqueuer, on the same connections. */
    public PostgresMembership membership() {
        return new PostgresMembership(transactions, sql, identity, takeoverAfter);
    }

    @Override
    public Optional<Taken> take(int lane) {
        Map<String, Object> values = Map.of(
                "lane", lane,
                "enqueuer", identity.id(),
                "takeover_millis", takeoverAfter.toMillis(),
                "database", identity.database());
        Set<String> spared = new TreeSet<>();
        try {
            return transactions.waiting(() -> transactions.call("take lane " + lane, dsl -> {
                spared.addAll(endOrphans(dsl, lane, values));
                return sql.take
                        .query(dsl, values)
                        .fetchOptional(taken ->
                                new Taken(taken.get("generation", long.class), taken.get("channel", int.class)));
            }));
        } catch (ExternalFailureException e) {
            throw spared.isEmpty() ? e : SessionEndRights.cannotEnd(spared, e);
        }
    }

    /** @return the roles whose sessions this role may not end */
    private List<String> endOrphans(DSLContext dsl, int lane, Map<String, Object> values) {
        List<@Nullable String> spared = sql.endOrphans.query(dsl, values).fetch("spared", String.class);
        long ended = spared.stream().filter(Objects::isNull).count();
        if (ended > 0) {
            log.warn(
                    "lane {}: ended {} open transaction(s) of an owner that shows no sign of life, or of our own"
                            + " that lost its connection",
                    lane,
                    ended);
        }
        return spared.stream().filter(Objects::nonNull).toList();
    }

    @Override
    public void giveBack(int lane, long generation) {
        Tables.Lanes lanes = sql.tables.lanes;
        transactions.call("give back lane " + lane, dsl -> dsl.update(lanes.table)
                .setNull(lanes.owner)
                .where(lanes.lane.eq(lane), lanes.generation.eq(generation), lanes.owner.eq(identity.id()))
                .execute());
    }

    @Override
    public Reading readHorizon() {
        return transactions.call("read up to which id no job can appear", dsl -> {
            Record last = sql.lastId.query(dsl, Map.of()).fetchSingle();
            if (!sql.logFlushed.query(dsl, Map.of()).fetchSingle().get("flushed", boolean.class)) {
                sql.writeToLog.execute(dsl, Map.of()); // the commit flushes it with everything before it
            }
            return new Reading(
                    last.get("era", String.class),
                    last.get("last_id", long.class),
                    sql.writers.query(dsl, Map.of()).fetchSet("writer", String.class));
        });
    }

    @Override
    public Optional<LaneTransaction> begin(int lane, long generation) {
        return opened(lane, transaction -> {
            long asked = System.nanoTime();
            // A separate statement before the read: a statement that waited for the lock would have an old snapshot.
            Optional<LockedLane> locked = transactions.waiting(() -> transaction.query(
                    "lock lane " + lane, sql.lock, Map.of("lane", lane), row -> LockedLane.of(row, asked)));
            if (locked.isPresent() && locked.get().generation() == generation) {
                return Optional.of(new PostgresLaneTransaction(transaction, transactions, sql, lane, locked.get()));
            }
            transaction.close();
            return Optional.empty();
        });
    }

    /** Begins a transaction, which stays open unless {@code work} throws or closes it. */
    private <T> T opened(int lane, Function<OpenTransaction, T> work) {
        OpenTransaction transaction = transactions.begin(lane);
        try {
            return work.apply(transaction);
        } catch (RuntimeException e) {
            transaction.close();
            throw e;
        }
    }

    /** The results of a claim's single message. */
    private record Claimed(Optional<LockedLane> locked, Optional<Read> read) {}

    @Override
    public ClaimResult claim(int lane, long generation, String era, ReadCriteria criteria) {
        ReadQuery<JobRead> reading = ReadQuery.of(sql, lane, criteria);
        Message message = criteria.exceptions().isEmpty()
                ? reading.sql().claim()
                : reading.sql().claimOrOver();
        Map<String, Object> values = new HashMap<>(reading.values());
        values.put("generation", generation);
        values.put("era", era);
        values.put("writers", criteria.exceptions().toArray(new String[0]));
        return opened(lane, transaction -> {
            long asked = System.nanoTime();
            // In READ COMMITTED each statement has its own snapshot: the read's snapshot is later than the lock.
            Claimed claimed = transactions.waiting(() -> transaction.queries(
                    "claim jobs of lane " + lane,
                    message.in(transaction),
                    values,
                    next -> new Claimed(
                            LockedLane.of(next.rows(), asked), reading.rows().read(next.rows()))));
            if (claimed.locked.isEmpty()) {
                transaction.close();
                return ClaimResult.NOTHING_WAITS;
            }
            if (claimed.locked.get().generation() != generation) {
                transaction.close();
                return ClaimResult.SUPERSEDED;
            }
            PostgresLaneTransaction open =
                    new PostgresLaneTransaction(transaction, transactions, sql, lane, claimed.locked.get());
            return ClaimResult.of(open, open.completed(claimed.read, criteria));
        });
    }

    @Override
    public Optional<Read> readAhead(int lane, String era, ReadCriteria criteria, List<Job> without) {
        ReadQuery<Message> reading = ReadQuery.ahead(sql, lane, criteria, without);
        try (OpenTransaction transaction = transactions.begin()) {
            Optional<Read> read = transaction.queries(
                    "read ahead in lane " + lane, reading.sql().in(transaction), reading.values(), next -> {
                        ResultSet now = next.rows();
                        boolean sameEra = now.next() && era.equals(now.getString("era"));
                        Optional<Read> found = reading.rows().read(next.rows());
                        return sameEra ? found : Optional.empty();
                    });
            if (read.isPresent() && !transaction.flushesWithRead()) {
                PostgresLaneTransaction.flushLog(transaction, transactions, sql);
            }
            boolean over = !criteria.exceptions().isEmpty()
                    && PostgresLaneTransaction.anyOver(transaction, sql, criteria.exceptions());
            return over ? Optional.empty() : read;
        }
    }
}
