package io.stagedjobs.enqueuer.postgres;

import static org.jooq.impl.SQLDataType.BIGINT;
import static org.jooq.impl.SQLDataType.BLOB;
import static org.jooq.impl.SQLDataType.CLOB;
import static org.jooq.impl.SQLDataType.INTEGER;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Refusal;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Records;
import org.jooq.SQLDialect;
import org.jooq.Table;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * An operator's access to jobs that are set aside: list, requeue, discard. Changes run lane by lane. Each transaction
 * holds the lane's lock and gives the lane a new generation, so that its owner begins again with the new state. Uses
 * one connection, from one thread.
 */
public final class ParkedJobs {

    /**
     * The chosen jobs; a null or empty part does not restrict them.
     *
     * @param ids of staged jobs
     * @param state {@code held} or {@code parked}
     * @param key only together with a topic
     * @param reason a {@link Refusal.Reason}'s label
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

        private Condition in(Tables.Parked jobs) {
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

    /** A job that is set aside, without its payload. */
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

    /**
     * The result of a change.
     *
     * @param requeued jobs that are staged again
     * @param discarded jobs that are gone
     * @param held those of the discarded ones that would have returned by themselves
     * @param followed those of the requeued ones that were not chosen: they only followed a chosen one
     * @param kept chosen jobs that stay, because an earlier job of their key stays
     */
    public record Change(int requeued, int discarded, int held, int followed, int kept) {

        private static final Change NONE = new Change(0, 0, 0, 0, 0);

        private Change plus(Change other) {
            return new Change(
                    requeued + other.requeued,
                    discarded + other.discarded,
                    held + other.held,
                    followed + other.followed,
                    kept + other.kept);
        }
    }

    private final DSLContext dsl;
    private final Tables tables;
    private final Tables.Jobs staged;
    private final Tables.Parked parked;
    private final Tables.Parked earlier;
    private final Tables.Lanes lanes;

    /** Works on a connection in autocommit mode, which the caller must close. */
    public ParkedJobs(Connection connection, Schema schema) {
        this(DSL.using(connection, SQLDialect.POSTGRES), new Tables(schema));
    }

    private ParkedJobs(DSLContext dsl, Tables tables) {
        this.dsl = dsl;
        this.tables = tables;
        this.staged = tables.stagedJobs;
        this.parked = tables.parkedJobs.as("parked");
        this.earlier = tables.parkedJobs.as("earlier");
        this.lanes = tables.lanes;
    }

    /** Runs reads in one transaction; none of its statements and waits for a lock lasts longer than that. */
    public <T> T within(Duration patience, Function<ParkedJobs, T> work) {
        return Transactions.briefly(
                dsl,
                "read jobs set aside",
                "READ ONLY",
                patience,
                patience,
                brief -> work.apply(new ParkedJobs(brief, tables)));
    }

    /** The number of such jobs. */
    public long count(Selection selection) {
        return Transactions.asked("count jobs set aside", () -> dsl.fetchCount(parked.table, selection.in(parked)));
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
        return Transactions.asked("read jobs set aside", () -> {
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

    /** The result that {@link #requeue} would have now. Only reads, and waits for nobody. */
    public Change wouldRequeue(Selection selection) {
        Counted counted = counted(selection);
        return new Change(counted.free + counted.following, 0, 0, counted.following, counted.parked - counted.free);
    }

    /** The result that {@link #discard} would have now. Only reads, and waits for nobody. */
    public Change wouldDiscard(Selection selection) {
        Counted counted = counted(selection);
        return new Change(counted.following, counted.parked + counted.held, counted.held, counted.following, 0);
    }

    /**
     * The effect of a selection.
     *
     * @param parked chosen parked jobs
     * @param free those of them that follow no job that stays
     * @param following jobs that are not chosen, only follow others, and follow no job that stays
     * @param held chosen held jobs
     */
    private record Counted(int parked, int free, int following, int held) {}

    /** Index parked_jobs_key, one probe per parked job of the affected lanes. */
    private Counted counted(Selection selection) {
        // For a job without a key this comparison is unknown, which counts as false.
        Condition chosen = DSL.condition(DSL.coalesce(DSL.field(selection.in(parked)), DSL.inline(false)));
        Condition free = isParked(parked).andNot(followsOther(selection));
        return Transactions.asked("count jobs set aside", () -> dsl.select(
                        DSL.count().filterWhere(chosen.and(isParked(parked))),
                        DSL.count().filterWhere(chosen.and(free)),
                        DSL.count()
                                .filterWhere(
                                        DSL.not(chosen).andNot(ownFault(parked)).and(free)),
                        DSL.count().filterWhere(chosen.andNot(isParked(parked))))
                .from(parked.table)
                .where(parked.lane.in(
                        DSL.select(earlier.lane).from(earlier.table).where(selection.in(earlier))))
                .fetchSingle(Records.mapping(Counted::new)));
    }

    private static Condition isParked(Tables.Parked jobs) {
        return jobs.state.eq(DSL.inline("parked"));
    }

    private static Condition ownFault(Tables.Parked jobs) {
        return jobs.reason.ne(DSL.inline(Refusal.Reason.FOLLOWS.label()));
    }

    /**
     * Whether an earlier job of the key is parked for a reason of its own: index parked_jobs_key. False without a key.
     */
    private Condition follows(Condition further) {
        return DSL.exists(DSL.selectOne()
                .from(earlier.table)
                .where(
                        earlier.lane.eq(parked.lane),
                        earlier.topic.eq(parked.topic),
                        earlier.jobKey.eq(parked.jobKey),
                        hash(earlier.jobKey).eq(hash(parked.jobKey)),
                        isParked(earlier),
                        earlier.id.lt(parked.id),
                        ownFault(earlier),
                        further));
    }

    /** Whether it follows a job that is not chosen. */
    private Condition followsOther(Selection selection) {
        return follows(DSL.not(selection.in(earlier)));
    }

    private static Field<Long> hash(Field<String> key) {
        return DSL.field("hashtextextended({0} COLLATE \"C\", 0)", BIGINT, key);
    }

    /**
     * Stages parked jobs again, with unchanged id, identity and time, and also the jobs that only followed them. A job
     * stays if an earlier one of its key stays.
     */
    public Change requeue(Selection selection) {
        return requeue(selection, soFar -> {});
    }

    /**
     * As {@link #requeue(Selection)}.
     *
     * @param afterLane receives the change so far after each lane
     */
    public Change requeue(Selection selection, Consumer<Change> afterLane) {
        return laneByLane("requeue", selection, afterLane, (transaction, lane) -> {
            Condition chosen = lane.and(isParked(parked)).and(selection.in(parked));
            int all = transaction.fetchCount(parked.table, chosen);
            int requeued = putBack(transaction, chosen.andNot(followsOther(selection)));
            int followed = putBackFollowers(transaction, lane);
            return new Change(requeued + followed, 0, 0, followed, all - requeued);
        });
    }

    /** Deletes jobs that are set aside, and stages parked jobs again that only followed them. */
    public Change discard(Selection selection) {
        return discard(selection, soFar -> {});
    }

    /**
     * As {@link #discard(Selection)}.
     *
     * @param afterLane receives the change so far after each lane
     */
    public Change discard(Selection selection, Consumer<Change> afterLane) {
        return laneByLane("discard", selection, afterLane, (transaction, lane) -> {
            Condition chosen = lane.and(selection.in(parked));
            int held = transaction.fetchCount(parked.table, chosen.andNot(isParked(parked)));
            int discarded = transaction.deleteFrom(parked.table).where(chosen).execute();
            int followed = putBackFollowers(transaction, lane);
            return new Change(followed, discarded, held, followed, 0);
        });
    }

    /** Stages jobs again that no longer follow any job. */
    private int putBackFollowers(DSLContext transaction, Condition lane) {
        return putBack(
                transaction, lane.and(isParked(parked)).andNot(ownFault(parked)).andNot(follows(DSL.trueCondition())));
    }

    private int putBack(DSLContext transaction, Condition jobs) {
        List<Field<?>> moved = parked.columns().stream()
                .filter(column ->
                        staged.columns().stream().anyMatch(job -> job.getName().equals(column.getName())))
                .toList();
        // jOOQ's language has no OVERRIDING SYSTEM VALUE.
        return transaction.execute(
                "WITH gone AS ({0}) INSERT INTO {1} ({2}) OVERRIDING SYSTEM VALUE SELECT {2} FROM gone ORDER BY id",
                transaction.deleteFrom(parked.table).where(jobs).returning(moved),
                staged.table,
                DSL.list(moved.stream().map(Field::getUnqualifiedName).toList()));
    }

    private interface Step {
        Change in(DSLContext transaction, Condition lane);
    }

    private Change laneByLane(String verb, Selection selection, Consumer<Change> afterLane, Step step) {
        try {
            List<Integer> concerned = dsl.selectDistinct(parked.lane)
                    .from(parked.table)
                    .where(selection.in(parked))
                    .orderBy(parked.lane)
                    .fetch(parked.lane);
            Change change = Change.NONE;
            for (int lane : concerned) {
                change = change.plus(inLane(lane, step));
                afterLane.accept(change);
            }
            return change;
        } catch (DataAccessException e) {
            ExternalFailureException outside = Transactions.outside(verb + " jobs", e);
            throw new ExternalFailureException(
                    outside.origin(), outside.getMessage() + ". What was done in other lanes before stays done.", e);
        }
    }

    private Change inLane(int lane, Step step) {
        return dsl.transactionResult(configuration -> {
            DSLContext transaction = configuration.dsl();
            transaction.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE");
            transaction.execute("SET LOCAL synchronous_commit = on");
            transaction.execute("SET LOCAL lock_timeout = '30s'"); // the owner may have a batch open
            transaction
                    .selectOne()
                    .from(lanes.table)
                    .where(lanes.lane.eq(lane))
                    .forNoKeyUpdate()
                    .execute();
            Change change = step.in(transaction, parked.lane.eq(lane));
            transaction
                    .update(lanes.table)
                    .set(lanes.generation, lanes.generation.plus(1))
                    .where(lanes.lane.eq(lane))
                    .execute();
            return change;
        });
    }
}
