package io.stagedjobs.enqueuer.postgres;

import static org.jooq.impl.SQLDataType.BLOB;
import static org.jooq.impl.SQLDataType.CLOB;
import static org.jooq.impl.SQLDataType.INTEGER;

import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.SQLDialect;
import org.jooq.Table;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * The jobs that were moved aside, as an operator sees them. It only reads; {@link ParkedChanges} requeues and discards.
 * Uses one connection, from one thread.
 */
public final class ParkedJobs {

    /**
     * The chosen jobs; a null or empty part does not restrict them.
     *
     * @param ids of staged jobs
     * @param state {@code held} or {@code parked}
     * @param key only together with a topic
     * @param reason the label of a {@link io.stagedjobs.enqueuer.Refusal.Reason}
     * @param name of a job
     */
    public record Selection(
            List<Long> ids,
            @Nullable String state,
            @Nullable String topic,
            @Nullable String key,
            @Nullable String reason,
            @Nullable String name) {

        /** Whatever the reason and the job's name. */
        public Selection(List<Long> ids, @Nullable String state, @Nullable String topic, @Nullable String key) {
            this(ids, state, topic, key, null, null);
        }

        Condition in(Tables.Parked jobs) {
            Condition all = DSL.trueCondition();
            if (!ids.isEmpty()) {
                all = all.and(jobs.id.eq(DSL.any(ids.toArray(new Long[0]))));
            }
            all = state == null ? all : all.and(jobs.state.eq(state));
            all = topic == null ? all : all.and(jobs.topic.eq(topic));
            all = key == null ? all : all.and(jobs.jobKey.eq(key));
            all = reason == null ? all : all.and(jobs.reason.eq(reason));
            return name == null ? all : all.and(jobs.jobName.eq(name));
        }
    }

    /** A job that is moved aside, without its payload. */
    public record Entry(
            int lane,
            long id,
            String jobId,
            String state,
            String reason,
            @Nullable String error,
            String topic,
            @Nullable String key,
            String name,
            @Nullable String headers,
            @Nullable Integer payloadBytes,
            String stagedAt,
            String parkedAt,
            double parkedSecondsAgo) {}

    private final DSLContext dsl;
    private final Tables tables;
    private final Tables.Parked parked;
    private final Tables.Lanes lanes;

    /** Works on a connection in autocommit mode, which the caller must close. */
    public ParkedJobs(Connection connection, Schema schema) {
        this(DSL.using(connection, SQLDialect.POSTGRES), new Tables(schema));
    }

    private ParkedJobs(DSLContext dsl, Tables tables) {
        this.dsl = dsl;
        this.tables = tables;
        this.parked = tables.parkedJobs.as("parked");
        this.lanes = tables.lanes;
    }

    /** Runs reads in one transaction; none of its statements and waits for a lock lasts longer than that. */
    public <T> T within(Duration patience, Function<ParkedJobs, T> work) {
        return Transactions.briefly(
                dsl,
                "read jobs moved aside",
                "READ ONLY",
                patience,
                patience,
                brief -> work.apply(new ParkedJobs(brief, tables)));
    }

    /** The number of such jobs. */
    public long count(Selection selection) {
        return Transactions.asked("count jobs moved aside", () -> dsl.fetchCount(parked.table, selection.in(parked)));
    }

    /** The first such jobs, in id order. */
    public List<Entry> list(Selection selection, int limit) {
        return list(selection, Long.MIN_VALUE, limit);
    }

    /**
     * The first such jobs with an id above {@code after}, in id order. Index parked_jobs_pkey: the first of each lane,
     * and of these the first.
     */
    public List<Entry> list(Selection selection, long after, int limit) {
        Field<Integer> lane = lanes.lane;
        return Transactions.asked("read jobs moved aside", () -> {
            Table<?> first = DSL.lateral(dsl.select(
                            parked.lane,
                            parked.id,
                            parked.jobId.cast(CLOB).as("job_id"),
                            parked.state,
                            parked.reason,
                            parked.error,
                            parked.topic,
                            parked.jobKey,
                            parked.jobName,
                            parked.headers.cast(CLOB).as("headers"),
                            DSL.field("octet_length({0})", INTEGER, parked.payload)
                                    .as("bytes"),
                            DatabaseClock.written(parked.stagedAt).as("staged"),
                            DatabaseClock.written(parked.parkedAt).as("moved"),
                            DatabaseClock.secondsSince(parked.parkedAt).as("seconds"))
                    .from(parked.table)
                    .where(parked.lane.eq(lane), parked.id.gt(after), selection.in(parked))
                    .orderBy(parked.id)
                    .limit(limit)
                    .asTable("first"));
            return dsl.select(first.fields())
                    .from(lanes.table)
                    .crossJoin(first)
                    .orderBy(first.field("id"))
                    .limit(limit)
                    .fetch(row -> new Entry(
                            row.get("lane", int.class),
                            row.get("id", long.class),
                            row.get("job_id", String.class),
                            row.get("state", String.class),
                            row.get("reason", String.class),
                            row.get("error", String.class),
                            row.get("topic", String.class),
                            row.get("job_key", String.class),
                            row.get("job_name", String.class),
                            row.get("headers", String.class),
                            row.get("bytes", Integer.class),
                            row.get("staged", String.class),
                            row.get("moved", String.class),
                            row.get("seconds", double.class)));
        });
    }

    /** The payload of one such job; empty if the job is missing or is a tombstone. */
    public Optional<byte[]> payload(long id) {
        return payload(id, Integer.MAX_VALUE);
    }

    /** As {@link #payload(long)}, but no more than its first bytes. */
    public Optional<byte[]> payload(long id, int bytesMax) {
        Field<byte[]> payload = DSL.field("substring({0} from 1 for {1})", BLOB, parked.payload, DSL.val(bytesMax));
        return Transactions.asked("read a payload", () -> dsl.select(payload)
                .from(parked.table)
                .where(parked.id.eq(id), parked.lane.in(DSL.select(lanes.lane).from(lanes.table)))
                .fetchOptional(payload));
    }
}
