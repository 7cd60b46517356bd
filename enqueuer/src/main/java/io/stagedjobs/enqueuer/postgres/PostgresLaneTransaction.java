package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.LaneTransaction;
import io.stagedjobs.enqueuer.Lanes.BatchLimits;
import io.stagedjobs.enqueuer.Refusal;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jooq.Record;
import org.jspecify.annotations.Nullable;

/** A transaction of PostgreSQL that has locked the lane's row. */
final class PostgresLaneTransaction implements LaneTransaction {

    private final Transactions.Open transaction;
    private final Transactions others;
    private final Statements sql;
    private final int lane;
    private final String era;

    /**
     * Works in {@code transaction}, in which the lane is locked.
     *
     * @param others for what needs a transaction of its own
     */
    PostgresLaneTransaction(Transactions.Open transaction, Transactions others, Statements sql, int lane, String era) {
        this.transaction = transaction;
        this.others = others;
        this.sql = sql;
        this.lane = lane;
        this.era = era;
    }

    @Override
    public long settled() {
        return ask(
                "read the last batch settled",
                () -> transaction.dsl().fetchSingle(sql.settled, lane).get(0, long.class));
    }

    @Override
    public void recordSettled(long batch) {
        execute("record batch " + batch, sql.recordBatch, lane, batch);
        execute("forget the batches before " + batch, sql.forgetBatches, lane, batch);
    }

    @Override
    public List<Row> present(Collection<Long> ids) {
        return ask("look for published jobs", () -> transaction
                .dsl()
                .fetch(sql.present, lane, ids.toArray(new Long[0]), lane, ids.toArray(new Long[0]))
                .map(row -> new Row(row.get(0, long.class), row.get(1, UUID.class))));
    }

    @Override
    public String era() {
        return era;
    }

    @Override
    public boolean anyOver(Set<String> writers) {
        return ask("look whether old transactions are over", () -> transaction
                .dsl()
                .fetchSingle(sql.anyOver, (Object) writers.toArray(new String[0]))
                .get(0, boolean.class));
    }

    @Override
    public Read read(BatchLimits limits, Blocked blocked, long after) {
        List<Job> jobs = new ArrayList<>();
        long bytes = 0;
        for (Record row : ask("read the next jobs", () -> transaction
                .dsl()
                .fetch(
                        sql.read,
                        lane,
                        after,
                        blocked.topics().toArray(new String[0]),
                        blocked.from().keySet().toArray(new String[0]),
                        blocked.from().values().toArray(new Long[0]),
                        blocked.followers(),
                        limits.rowsMax(),
                        limits.bytesMax()))) {
            jobs.add(new Job(
                    row.get(0, long.class),
                    row.get(1, UUID.class),
                    row.get(2, String.class),
                    row.get(3, String.class),
                    row.get(4, String.class),
                    row.get(5, byte[].class),
                    row.get(6, String.class),
                    row.get(7, OffsetDateTime.class).toInstant()));
            bytes = row.get(8, long.class);
        }
        if (!jobs.isEmpty()) {
            flushLog();
        }
        return new Read(jobs, jobs.size() == limits.rowsMax() || bytes >= limits.bytesMax());
    }

    /**
     * A writer that commits with synchronous_commit = off shows rows before its commit is on disk, and a crash would take
     * them back after Kafka has them. A commit of our own, with something to write, puts the log on disk up to here.
     */
    private void flushLog() {
        boolean flushed = ask(
                "look how far the log is on disk",
                () -> transaction.dsl().fetchSingle(sql.logFlushed).get(0, boolean.class));
        if (!flushed) {
            others.call("flush the log", other -> other.execute(sql.writeToLog));
        }
    }

    @Override
    public Deleted delete(Collection<Row> rows) {
        return ask("delete " + rows.size() + " published jobs", () -> {
            Record result = transaction
                    .dsl()
                    .fetchSingle(
                            sql.delete,
                            rows.stream().map(Row::id).toArray(Long[]::new),
                            rows.stream().map(Row::jobId).toArray(UUID[]::new),
                            lane);
            return new Deleted(
                    result.get(0, int.class),
                    result.get(1, OffsetDateTime.class).toInstant());
        });
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
                () -> new Stored(
                        transaction.dsl().fetch(sql.heldTopics, lane, lane).intoSet(0, String.class),
                        transaction.dsl().fetchSingle(sql.anyParked, lane).get(0, boolean.class)));
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
        Record swept = ask("move blocked jobs aside", () -> transaction
                .dsl()
                .fetchSingle(
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
        Long next = ask(
                "look for held jobs of topic " + topic,
                () -> transaction.dsl().fetchSingle(sql.nextHeld, lane, topic).get(0, Long.class));
        return new PutBack(rows, next == null ? OptionalLong.empty() : OptionalLong.of(next));
    }

    @Override
    public void commit() {
        transaction.commit();
    }

    @Override
    public void close() {
        transaction.close();
    }

    private static <T> String[] strings(Collection<T> all, Function<T, String> string) {
        return all.stream().map(string).toArray(String[]::new);
    }

    private int execute(String what, String statement, Object... bindings) {
        return ask(what, () -> transaction.dsl().execute(statement, bindings));
    }

    private <T extends @Nullable Object> T ask(String what, Supplier<T> question) {
        return Transactions.asked(what + " of lane " + lane, question);
    }
}
