package io.stagedjobs.enqueuer.postgres;

import static org.jooq.impl.DSL.inline;

import io.stagedjobs.enqueuer.BatchLimits;
import io.stagedjobs.enqueuer.LaneTransaction;
import io.stagedjobs.enqueuer.ReadCriteria;
import io.stagedjobs.enqueuer.Refusal;
import io.stagedjobs.enqueuer.postgres.Statements.JobRead;
import io.stagedjobs.schema.Tables;
import java.nio.ByteBuffer;
import java.sql.Savepoint;
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
import org.jooq.Record2;
import org.jooq.Records;
import org.jooq.SelectConditionStep;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/** A PostgreSQL transaction that has locked the lane's row. */
final class PostgresLaneTransaction implements LaneTransaction {

    private final OpenTransaction transaction;
    private final Transactions others;
    private final Statements sql;
    private final int lane;
    private final LockedLane locked;
    private @Nullable Supplier<Deletion> deletion;

    /** The deletion under way, and the savepoint before it. */
    private record Deletion(Savepoint before, int rows) {}

    /**
     * Works in {@code transaction}, in which the lane is locked.
     *
     * @param others opens other transactions where needed
     */
    PostgresLaneTransaction(
            OpenTransaction transaction, Transactions others, Statements sql, int lane, LockedLane locked) {
        this.transaction = transaction;
        this.others = others;
        this.sql = sql;
        this.lane = lane;
        this.locked = locked;
    }

    @Override
    public long lastBatch() {
        Tables.Batches batches = sql.tables.batches;
        // From the end of the primary key: an old snapshot keeps dead entries only before it.
        return ask("read its last batch", dsl -> dsl.select(batches.batch)
                .from(batches.table)
                .where(batches.lane.eq(lane))
                .orderBy(batches.batch.desc())
                .limit(1)
                .fetchOptional(batches.batch)
                .orElse(0L));
    }

    @Override
    public long lastBatchWhenLocked() {
        return locked.lastBatch();
    }

    @Override
    public void writeToLog() {
        execute("write to the log in a transaction", sql.writeToLog, Map.of());
    }

    @Override
    public List<Row> present(Collection<Long> ids) {
        // Primary keys; needs only the lane's lock, which keeps all others from deleting.
        return ask("look for published jobs", dsl -> present(dsl, sql.tables.stagedJobs, ids)
                .unionAll(present(dsl, sql.tables.parkedJobs, ids))
                .fetch(Records.mapping(Row::new)));
    }

    private SelectConditionStep<Record2<Long, UUID>> present(DSLContext dsl, Tables.Jobs jobs, Collection<Long> ids) {
        return dsl.select(jobs.id, jobs.jobId)
                .from(jobs.table)
                .where(jobs.lane.eq(lane), jobs.id.eq(DSL.any(ids.toArray(new Long[0]))));
    }

    @Override
    public String era() {
        return locked.era();
    }

    @Override
    public boolean anyOver(Set<String> writers) {
        return anyOver(idle(), sql, writers);
    }

    static boolean anyOver(OpenTransaction transaction, Statements sql, Set<String> writers) {
        return transaction.ask("check whether old transactions are over", dsl -> sql.anyOver
                .query(dsl, Map.of("writers", writers.toArray(new String[0])))
                .fetchSingle()
                .get("any_over", boolean.class));
    }

    @Override
    public Read read(ReadCriteria criteria) {
        ReadQuery<JobRead> reading = ReadQuery.of(sql, lane, criteria);
        return completed(read(reading), criteria);
    }

    private Optional<Read> read(ReadQuery<JobRead> reading) {
        return idle().query(ofLane("read the next jobs"), reading.sql().alone(), reading.values(), reading.rows());
    }

    /**
     * Reads again if the first statement found jobs that are too large for it.
     *
     * <p>If a writer commits with synchronous_commit = off, its rows are visible before its commit is on disk. A crash
     * could undo the commit after Kafka has the jobs. So this flushes the log up to the rows that were read.
     */
    Read completed(Optional<Read> first, ReadCriteria criteria) {
        Read read =
                first.orElseGet(() -> read(ReadQuery.sized(sql, lane, criteria)).orElseThrow());
        boolean flushed = first.isPresent() && idle().flushesWithRead();
        if (!read.jobs().isEmpty() && !flushed) {
            flushLog(idle(), others, sql);
        }
        return read;
    }

    /** Our own commit, if it writes something, flushes the log up to this point. */
    static void flushLog(OpenTransaction transaction, Transactions others, Statements sql) {
        boolean flushed = transaction.query(
                "read whether the log is on disk",
                sql.logFlushed,
                Map.of(),
                row -> row.next() && row.getBoolean("flushed"));
        if (!flushed) {
            others.call("flush the log", other -> sql.writeToLog.execute(other, Map.of()));
        }
    }

    /** The transaction, which no other thread uses now. */
    private OpenTransaction idle() {
        if (deletion != null) {
            begun();
        }
        return transaction;
    }

    @Override
    public Deleted delete(Collection<Row> rows, long batch) {
        return new Deleted(delete(idle(), rows, batch), locked.now());
    }

    private int delete(OpenTransaction open, Collection<Row> rows, long batch) {
        if (rows.isEmpty()) {
            if (batch > 0) {
                open.update(ofLane("record batch " + batch), sql.recordBatch, Map.of("lane", lane, "batch", batch));
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
        return open.update(
                ofLane("delete " + ids.length + " published jobs"),
                batch > 0 ? sql.deleteAndRecordBatch : sql.delete,
                Map.of(
                        "lane",
                        lane,
                        "first_id",
                        ids[0],
                        "last_id",
                        ids[ids.length - 1],
                        "ids",
                        ids,
                        "job_ids",
                        jobIds.array(),
                        "batch",
                        batch));
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
        return new Deleted(begun().rows(), locked.now());
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
                Map.of(
                        "lane", lane,
                        "ids", rows.stream().map(Row::id).toArray(Long[]::new),
                        "job_ids", rows.stream().map(Row::jobId).toArray(UUID[]::new)));
    }

    @Override
    public Stored aside() {
        Tables.Parked parked = sql.tables.parkedJobs;
        return ask(
                "read the jobs that were moved aside",
                dsl -> new Stored(
                        sql.heldTopics.query(dsl, Map.of("lane", lane)).fetchSet("topic", String.class),
                        dsl.fetchExists(parked.table, parked.lane.eq(lane).and(parked.state.eq(inline("parked"))))));
    }

    @Override
    public void moveAside(Collection<Moved> jobs) {
        if (!jobs.isEmpty()) {
            execute(
                    "move " + jobs.size() + " jobs aside",
                    sql.moveAside,
                    Map.of(
                            "lane", lane,
                            "ids", jobs.stream().map(job -> job.row().id()).toArray(Long[]::new),
                            "job_ids",
                                    jobs.stream().map(job -> job.row().jobId()).toArray(UUID[]::new),
                            "states", strings(jobs, job -> job.held() ? "held" : "parked"),
                            "reasons", strings(jobs, job -> job.why().reason().label()),
                            "errors", strings(jobs, job -> job.why().detail())));
        }
    }

    @Override
    public Swept sweep(Map<String, Refusal> refused, BatchLimits limits, long after) {
        Collection<Refusal> reasons = refused.values();
        Map<String, Object> values = Map.of(
                "lane", lane,
                "after", after,
                "rows_max", limits.rowsMax(),
                "bytes_max", limits.bytesMax(),
                "topics", refused.keySet().toArray(new String[0]),
                "reasons", strings(reasons, refusal -> refusal.reason().label()),
                "errors", strings(reasons, Refusal::detail),
                "follows", Refusal.Reason.FOLLOWS.label());
        Record swept = ask(
                "move blocked jobs aside", dsl -> sql.sweep.query(dsl, values).fetchSingle());
        int moved = swept.get("moved", int.class);
        boolean all = swept.get("seen", int.class) < limits.rowsMax();
        long through = all ? Long.MAX_VALUE : swept.get("last_id", long.class);
        return new Swept(moved, moved == swept.get("blocked", int.class) ? through : after);
    }

    @Override
    public PutBack putBack(String topic, BatchLimits limits) {
        int rows = execute(
                "put held jobs of topic " + topic + " back",
                sql.putBack,
                Map.of("lane", lane, "topic", topic, "rows_max", limits.rowsMax(), "bytes_max", limits.bytesMax()));
        Tables.Parked parked = sql.tables.parkedJobs;
        // Index parked_jobs_held, the first entry of the topic.
        Long next = ask("look for held jobs of topic " + topic, dsl -> dsl.select(DSL.min(parked.id))
                .from(parked.table)
                .where(parked.lane.eq(lane), parked.topic.eq(topic), parked.state.eq(inline("held")))
                .fetchSingle()
                .value1());
        return new PutBack(rows, next == null ? OptionalLong.empty() : OptionalLong.of(next));
    }

    @Override
    public void useChannel(int channel) {
        Tables.Lanes lanes = sql.tables.lanes;
        ask("record the channel", dsl -> dsl.update(lanes.table)
                .set(lanes.channel, channel)
                .where(lanes.lane.eq(lane))
                .execute());
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
            // there is nothing left to do for this deletion
        }
        transaction.close();
    }

    private static <T> String[] strings(Collection<T> all, Function<T, String> string) {
        return all.stream().map(string).toArray(String[]::new);
    }

    private int execute(String what, NamedSql statement, Map<String, ?> values) {
        return ask(what, dsl -> statement.execute(dsl, values));
    }

    private <T extends @Nullable Object> T ask(String what, Function<DSLContext, T> question) {
        return idle().ask(ofLane(what), question);
    }

    private String ofLane(String what) {
        return what + " of lane " + lane;
    }
}
