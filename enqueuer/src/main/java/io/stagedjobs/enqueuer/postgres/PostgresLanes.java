package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.Claim;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.LaneTransaction;
import io.stagedjobs.enqueuer.LaneTransaction.Read;
import io.stagedjobs.enqueuer.Lanes;
import io.stagedjobs.enqueuer.Selection;
import io.stagedjobs.enqueuer.postgres.PostgresLaneTransaction.Locked;
import io.stagedjobs.schema.Schema;
import java.sql.ResultSet;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
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
    public Optional<Taken> take(int lane) {
        Set<String> spared = new TreeSet<>();
        try {
            return transactions.call("take lane " + lane, dsl -> {
                spared.addAll(endOrphans(dsl, lane));
                Record taken = dsl.fetchOne(
                        sql.take, identity.id(), lane, identity.id(), takeoverAfter.toMillis(), identity.database());
                return Optional.ofNullable(taken).map(row -> new Taken(row.get(0, long.class), row.get(1, int.class)));
            });
        } catch (ExternalFailureException e) {
            throw spared.isEmpty() ? e : OtherRoles.cannotEnd(spared, e);
        }
    }

    /** @return the roles of those whose sessions this role may not end */
    private List<String> endOrphans(DSLContext dsl, int lane) {
        List<@Nullable String> spared = dsl.fetch(
                        sql.endOrphans, identity.id(), lane, lane, identity.id(), takeoverAfter.toMillis())
                .getValues(0, String.class);
        long ended = spared.stream().filter(Objects::isNull).count();
        if (ended > 0) {
            log.warn(
                    "lane {}: ended {} open transaction(s) of an owner that shows no sign of life, or of our own that lost"
                            + " its connection",
                    lane,
                    ended);
        }
        return spared.stream().filter(Objects::nonNull).toList();
    }

    @Override
    public void giveBack(int lane, long generation) {
        transactions.call("give back lane " + lane, dsl -> dsl.execute(sql.giveBack, lane, generation, identity.id()));
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
            Optional<Locked> locked =
                    transaction.query("lock lane " + lane, sql.lock, row -> Locked.of(row, asked), lane);
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

    /** The answers to the one message of a claim. */
    private record Claimed(Optional<Locked> locked, Optional<Read> read) {}

    @Override
    public Claim claim(int lane, long generation, String era, Selection selection) {
        Transactions.Open transaction = transactions.begin(lane);
        long asked = System.nanoTime();
        try {
            ReadQuery reading = ReadQuery.of(sql, lane, selection);
            boolean flushes = transaction.flushesWithRead();
            // In READ COMMITTED each statement has a snapshot of its own: that of the read is later than the lock.
            Claimed claimed = transaction.queries(
                    "claim jobs of lane " + lane,
                    (selection.exceptions().isEmpty() ? sql.lockIfWaiting : sql.lockIfWaitingOrOver) + "; "
                            + reading.sql() + (flushes ? "; " + sql.flushLog : ""),
                    next -> new Claimed(
                            Locked.of(next.rows(), asked), reading.rows().read(next.rows())),
                    bindingsOfClaim(lane, generation, era, selection, reading, flushes));
            if (claimed.locked.isEmpty()) {
                transaction.close();
                return Claim.NOTHING_WAITS;
            }
            if (claimed.locked.get().generation() != generation) {
                transaction.close();
                return Claim.SUPERSEDED;
            }
            PostgresLaneTransaction open =
                    new PostgresLaneTransaction(transaction, transactions, sql, lane, claimed.locked.get());
            return Claim.of(open, open.completed(claimed.read, selection));
        } catch (RuntimeException e) {
            transaction.close();
            throw e;
        }
    }

    private static Object[] bindingsOfClaim(
            int lane, long generation, String era, Selection selection, ReadQuery reading, boolean flushes) {
        List<Object> bindings = new ArrayList<>(List.of(lane, generation, era, selection.after()));
        if (!selection.exceptions().isEmpty()) {
            bindings.add(selection.exceptions().toArray(new String[0]));
        }
        bindings.addAll(reading.bindings());
        if (flushes) {
            bindings.addAll(List.of(lane, selection.after()));
        }
        return bindings.toArray();
    }

    @Override
    public Optional<Read> readAhead(int lane, String era, Selection selection, List<Job> without) {
        ReadQuery reading = ReadQuery.ahead(sql, lane, selection, without);
        List<Object> bindings = new ArrayList<>(reading.bindings());
        bindings.addAll(List.of(lane, selection.after()));
        try (Transactions.Open transaction = transactions.begin()) {
            boolean flushes = transaction.flushesWithRead();
            Optional<Read> read = transaction.queries(
                    "read ahead in lane " + lane,
                    "SELECT " + sql.era + "; " + reading.sql() + (flushes ? "; " + sql.flushLog : ""),
                    next -> {
                        ResultSet now = next.rows();
                        boolean sameEra = now.next() && era.equals(now.getString(1));
                        Optional<Read> found = reading.rows().read(next.rows());
                        return sameEra ? found : Optional.empty();
                    },
                    flushes ? bindings.toArray() : reading.bindings().toArray());
            if (read.isPresent() && !flushes) {
                PostgresLaneTransaction.flushLog(transaction, transactions, sql);
            }
            boolean over = !selection.exceptions().isEmpty()
                    && PostgresLaneTransaction.anyOver(transaction, sql, selection.exceptions());
            return over ? Optional.empty() : read;
        }
    }
}
