package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.BatchLimits;
import io.stagedjobs.enqueuer.LaneTransaction;
import io.stagedjobs.enqueuer.Refusal;
import io.stagedjobs.enqueuer.Selection;
import java.nio.ByteBuffer;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jspecify.annotations.Nullable;

/** A transaction of PostgreSQL that has locked the lane's row. */
final class PostgresLaneTransaction implements LaneTransaction {

    private final Transactions.Open transaction;
    private final Transactions others;
    private final Statements sql;
    private final int lane;
    private final Locked locked;
    private @Nullable Supplier<Deletion> deletion;

    /** What is being deleted meanwhile, and the way back. */
    private record Deletion(Savepoint before, int rows) {}

    /**
     * The lane's row when it was locked.
     *
     * @param at when PostgreSQL began to, by its clock
     * @param lastBatch as of the beginning of the statement that locked it
     * @param asked when it was asked to, of {@link System#nanoTime}
     */
    record Locked(long generation, String era, Instant at, long lastBatch, long asked) {

        /** Reads the answer of the statement; empty if it locked nothing. */
        static Optional<Locked> of(ResultSet row, long asked) throws SQLException {
            return row.next()
                    ? Optional.of(new Locked(
                            row.getLong(1),
                            row.getString(2),
                            row.getObject(3, OffsetDateTime.class).toInstant(),
                            row.getLong(4),
                            asked))
                    : Optional.empty();
        }
    }

    /**
     * Works in {@code transaction}, in which the lane is locked.
     *
     * @param others for what needs a transaction of its own
     */
    PostgresLaneTransaction(
            Transactions.Open transaction, Transactions others, Statements sql, int lane, Locked locked) {
        this.transaction = transaction;
        this.others = others;
        this.sql = sql;
        this.lane = lane;
        this.locked = locked;
    }

    /** By the database's clock, and not before it: what a message was under way counts too. */
    private Instant now() {
        return locked.at.plusNanos(System.nanoTime() - locked.asked);
    }

    @Override
    public long lastBatch() {
        return ask("read its last batch", dsl -> dsl.fetchSingle(sql.lastBatch, lane)
                .get(0, long.class));
    }

    @Override
    public long lastBatchWhenLocked() {
        return locked.lastBatch;
    }

    @Override
    public void writeToLog() {
        execute("write to the log in a transaction", sql.writeToLog);
    }

    @Override
    public List<Row> present(Collection<Long> ids) {
        return ask("look for published jobs", dsl -> dsl.fetch(
                        sql.present, lane, ids.toArray(new Long[0]), lane, ids.toArray(new Long[0]))
                .map(row -> new Row(row.get(0, long.class), row.get(1, UUID.class))));
    }

    @Override
    public String era() {
        return locked.era;
    }

    @Override
    public boolean anyOver(Set<String> writers) {
        return anyOver(idle(), sql, writers);
    }

    static boolean anyOver(Transactions.Open transaction, Statements sql, Set<String> writers) {
        return transaction.ask("look whether old transactions are over", dsl -> dsl.fetchSingle(
                        sql.anyOver, (Object) writers.toArray(new String[0]))
                .get(0, boolean.class));
    }

    @Override
    public Read read(Selection selection) {
        ReadQuery reading = ReadQuery.of(sql, lane, selection);
        return completed(read(reading), selection);
    }

    private Optional<Read> read(ReadQuery reading) {
        return query(
                "read the next jobs",
                reading.sql(),
                reading.rows(),
                reading.bindings().toArray());
    }

    /**
     * Reads once more if the first statement found jobs too large for it.
     *
     * <p>A writer that commits with synchronous_commit = off shows rows before its commit is on disk, and a crash would take
     * them back after Kafka has them. So the log is put on disk up to what was read.
     */
    Read completed(Optional<Read> first, Selection selection) {
        Read read = first.orElseGet(
                () -> read(ReadQuery.sized(sql, lane, selection)).orElseThrow());
        boolean flushed = first.isPresent() && idle().flushesWithRead();
        if (!read.jobs().isEmpty() && !flushed) {
            flushLog(idle(), others, sql);
        }
        return read;
    }

    /** A commit of our own, with something to write, puts the log on disk up to here. */
    static void flushLog(Transactions.Open transaction, Transactions others, Statements sql) {
        boolean flushed = transaction.query(
                "look how far the log is on disk", sql.logFlushed, row -> row.next() && row.getBoolean(1));
        if (!flushed) {
            others.call("flush the log", other -> other.execute(sql.writeToLog));
        }
    }

    /** The transaction, which nothing else uses now. */
    private Transactions.Open idle() {
        if (deletion != null) {
            begun();
        }
        return transaction;
    }

    @Override
    public Deleted delete(Collection<Row> rows, long batch) {
        return new Deleted(delete(idle(), rows, batch), now());
    }

    private int delete(Transactions.Open open, Collection<Row> rows, long batch) {
        if (rows.isEmpty()) {
            if (batch > 0) {
                open.update(ofLane("record batch " + batch), sql.recordBatch, lane, batch, lane, batch);
            }
            return 0;
        }
        List<Row> sorted =
                rows.stream().sorted(Comparator.comparingLong(Row::id)).toList();
        long[] ids = sorted.stream().mapToLong(Row::id).toArray();
        ByteBuffer jobIds = ByteBuffer.allocate(2 * Long.BYTES * ids.length);
        for (Row row : sorted) {
            jobIds.putLong(row.jobId().getMostSignificantBits())
                    .putLong(row.jobId().getLeastSignificantBits());
        }
        List<Object> bindings =
                new ArrayList<>(List.of(lane, ids[0], ids[ids.length - 1], ids, ids, jobIds.array(), ids));
        if (batch > 0) {
            bindings.addAll(List.of(lane, batch, lane, batch));
        }
        return open.update(
                ofLane("delete " + ids.length + " published jobs"),
                batch > 0 ? sql.delete + "; " + sql.recordBatch : sql.delete,
                bindings.toArray());
    }

    @Override
    public void deleteMeanwhile(Collection<Row> rows, long batch) {
        deletion = others.start(() -> {
            Savepoint before = transaction.savepoint();
            return new Deletion(before, delete(transaction, rows, batch));
        });
    }

    @Override
    public Deleted deletedMeanwhile() {
        return new Deleted(begun().rows(), now());
    }

    @Override
    public void takeBackDeletion() {
        transaction.backTo(begun().before());
    }

    private Deletion begun() {
        return Objects.requireNonNull(deletion, "nothing is being deleted").get();
    }

    @Override
    public int deleteAside(Collection<Row> rows) {
        return execute(
                "delete published jobs that were moved aside",
                sql.deleteAside,
                rows.stream().map(Row::id).toArray(Long[]::new),
                rows.stream().map(Row::jobId).toArray(UUID[]::new),
                lane);
    }

    @Override
    public Stored aside() {
        return ask(
                "read what is moved aside",
                dsl -> new Stored(
                        dsl.fetch(sql.heldTopics, lane, lane).intoSet(0, String.class),
                        dsl.fetchSingle(sql.anyParked, lane).get(0, boolean.class)));
    }

    @Override
    public void moveAside(Collection<Moved> jobs) {
        if (!jobs.isEmpty()) {
            execute(
                    "move " + jobs.size() + " jobs aside",
                    sql.moveAside,
                    jobs.stream().map(job -> job.row().id()).toArray(Long[]::new),
                    jobs.stream().map(job -> job.row().jobId()).toArray(UUID[]::new),
                    strings(jobs, job -> job.held() ? "held" : "parked"),
                    strings(jobs, job -> job.why().reason().label()),
                    strings(jobs, job -> job.why().detail()),
                    lane);
        }
    }

    @Override
    public Swept sweep(Map<String, Refusal> refused, BatchLimits limits, long after) {
        String[] topics = refused.keySet().toArray(new String[0]);
        Collection<Refusal> reasons = refused.values();
        Record swept = ask(
                "move blocked jobs aside",
                dsl -> dsl.fetchSingle(
                        sql.sweep,
                        lane,
                        after,
                        limits.rowsMax(),
                        topics,
                        limits.bytesMax(),
                        topics,
                        strings(reasons, refusal -> refusal.reason().label()),
                        strings(reasons, Refusal::detail)));
        int moved = swept.get(0, int.class);
        long through = swept.get(2, int.class) < limits.rowsMax() ? Long.MAX_VALUE : swept.get(3, long.class);
        return new Swept(moved, moved == swept.get(1, int.class) ? through : after);
    }

    @Override
    public PutBack putBack(String topic, BatchLimits limits) {
        int rows = execute(
                "put held jobs of topic " + topic + " back",
                sql.putBack,
                lane,
                topic,
                limits.rowsMax(),
                limits.bytesMax());
        Long next = ask("look for held jobs of topic " + topic, dsl -> dsl.fetchSingle(sql.nextHeld, lane, topic)
                .get(0, Long.class));
        return new PutBack(rows, next == null ? OptionalLong.empty() : OptionalLong.of(next));
    }

    @Override
    public void useChannel(int channel) {
        execute("write down the channel", sql.useChannel, channel, lane);
    }

    @Override
    public void commit() {
        idle().commit();
    }

    @Override
    @SuppressWarnings("EmptyCatch") // what failed is rolled back like the rest
    public void close() {
        try {
            idle();
        } catch (RuntimeException failed) {
            // nothing is left to do for this deletion
        }
        transaction.close();
    }

    private static <T> String[] strings(Collection<T> all, Function<T, String> string) {
        return all.stream().map(string).toArray(String[]::new);
    }

    private int execute(String what, String statement, Object... bindings) {
        return ask(what, dsl -> dsl.execute(statement, bindings));
    }

    private <T extends @Nullable Object> T ask(String what, Function<DSLContext, T> question) {
        return idle().ask(ofLane(what), question);
    }

    private <T extends @Nullable Object> T query(
            String what, String statement, Transactions.Rows<T> rows, Object... bindings) {
        return idle().query(ofLane(what), statement, rows, bindings);
    }

    private String ofLane(String what) {
        return what + " of lane " + lane;
    }
}
