package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.LaneTransaction;
import io.stagedjobs.enqueuer.Lanes;
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
import javax.sql.DataSource;
import org.jooq.Record;
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
     * @param takeoverAfter an enqueuer whose row is older than this lives no more
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
    public OptionalLong take(int lane) {
        return transactions.call("take lane " + lane, dsl -> {
            int ended = dsl.fetch(sql.endOrphans, identity.id(), lane, lane, identity.id(), takeoverAfter.toMillis())
                    .size();
            if (ended > 0) {
                log.warn(
                        "lane {}: ended {} open transaction(s) of an owner that shows no sign of life, or of our own that lost"
                                + " its connection",
                        lane,
                        ended);
            }
            Record taken = dsl.fetchOne(
                    sql.take, identity.id(), lane, identity.id(), takeoverAfter.toMillis(), identity.deployment());
            return taken == null ? OptionalLong.empty() : OptionalLong.of(taken.get(0, long.class));
        });
    }

    @Override
    public void giveBack(int lane, long generation) {
        transactions.call("give back lane " + lane, dsl -> dsl.execute(sql.giveBack, lane, generation, identity.id()));
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
}
