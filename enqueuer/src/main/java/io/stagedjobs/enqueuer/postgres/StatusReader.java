package io.stagedjobs.enqueuer.postgres;

import static org.jooq.impl.SQLDataType.BIGINT;
import static org.jooq.impl.SQLDataType.CLOB;

import io.stagedjobs.enqueuer.Membership;
import io.stagedjobs.enqueuer.diagnosis.Work.Problem;
import io.stagedjobs.enqueuer.postgres.Status.Aside;
import io.stagedjobs.enqueuer.postgres.Status.Instance;
import io.stagedjobs.enqueuer.postgres.Status.Lane;
import io.stagedjobs.enqueuer.postgres.Status.Topic;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Record;
import org.jooq.Records;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Reads the backlog, the lanes and the enqueuers, for people and for {@code drain}. It only reads, needs only the
 * observer's rights, and never reads a payload. Uses one connection, from one thread.
 */
public final class StatusReader {

    /** An operator's command does not wait long for a session that has locked a table. */
    static final Duration LOCKED_MAX = Duration.ofSeconds(5);

    /** The share of its time that a reading gives to one count before it takes an estimate. */
    private static final int COUNT_SHARE = 4;

    /** As a number that a large table does not exceed. */
    private static final Field<Long> COUNT = DSL.count().coerce(BIGINT);

    private final DSLContext dsl;
    private final Tables.Jobs jobs;
    private final Tables.Parked parked;
    private final Tables tables;
    private final Schema schema;
    private final Connection connection;

    /** Works on a connection in autocommit mode, which the caller must close. */
    public StatusReader(Connection connection, Schema schema) {
        this.connection = connection;
        this.dsl = DSL.using(connection, SQLDialect.POSTGRES);
        this.schema = schema;
        this.tables = new Tables(schema);
        this.jobs = tables.stagedJobs;
        this.parked = tables.parkedJobs;
    }

    /**
     * Reads everything in one transaction, so that no job is counted twice or left out. Counts are exact: it scans
     * {@code staged_jobs} and {@code parked_jobs} once each.
     *
     * @param patience how long a statement may take; for a lock it waits no longer than {@link #LOCKED_MAX}
     */
    public Status readExactly(Duration takeoverAfter, Duration patience) {
        return look(takeoverAfter, patience, true);
    }

    /**
     * As {@link #readExactly}, in a time that does not grow with the tables: counts are exact up to
     * {@link BoundedCounts#COUNTED_MAX}, and estimates beyond.
     */
    public Status read(Duration takeoverAfter, Duration patience) {
        return look(takeoverAfter, patience, false);
    }

    private Status look(Duration takeoverAfter, Duration patience, boolean exactly) {
        Duration lockedMax = patience.compareTo(LOCKED_MAX) < 0 ? patience : LOCKED_MAX;
        return Transactions.briefly(
                dsl, "read the status", "ISOLATION LEVEL REPEATABLE READ, READ ONLY", patience, lockedMax, look -> {
                    int lanes = look.fetchCount(tables.lanes.table);
                    BoundedCounts counts = new BoundedCounts(look, schema, lanes, patience.dividedBy(COUNT_SHARE));
                    return exactly
                            ? status(
                                    look,
                                    takeoverAfter,
                                    counts.allWaiting(everyJob(look)),
                                    new BoundedCounts.AsideCounts(aside(Long.MAX_VALUE), true))
                            : status(look, takeoverAfter, counts.waiting(), counts.movedAside());
                });
    }

    private List<Record> everyJob(DSLContext look) {
        return new ArrayList<>(look.select(
                        jobs.lane,
                        jobs.topic,
                        COUNT.as("jobs"),
                        DatabaseClock.secondsSince(DSL.min(jobs.stagedAt)).as("seconds"))
                .from(jobs.table)
                .groupBy(jobs.lane, jobs.topic)
                .fetch());
    }

    private Status status(
            DSLContext look, Duration takeoverAfter, BoundedCounts.Waiting waiting, BoundedCounts.AsideCounts aside) {
        Map<String, List<Problem>> problems = problems(look, schema);
        return new Status(
                look.select(DatabaseClock.written(DatabaseClock.now()))
                        .fetchSingle()
                        .value1(),
                schema.version(connection),
                waiting.jobs(),
                waiting.exact(),
                waiting.oldestAgeSeconds(),
                waiting.byTopic(),
                aside.groups(),
                aside.exact(),
                pauses().stream().sorted().toList(),
                lanes(look, takeoverAfter, waiting, problems),
                instances(look, takeoverAfter, problems));
    }

    private static @Nullable Problem halted(List<Problem> problems, int lane) {
        return problems.stream()
                .filter(problem -> problem.place().equals("lane " + lane))
                .findFirst()
                .orElse(null);
    }

    /** What the enqueuers say of themselves, by their ids. */
    static Map<String, List<Problem>> problems(DSLContext look, Schema schema) {
        return NamedSql.load(schema, "problems")
                .query(look, Map.of())
                .fetchGroups(
                        row -> row.get("enqueuer", String.class),
                        row -> new Problem(
                                row.get("place", String.class),
                                row.get("reason", String.class),
                                row.get("lasting_seconds", double.class)));
    }

    private List<Lane> lanes(
            DSLContext look,
            Duration takeoverAfter,
            BoundedCounts.Waiting waiting,
            Map<String, List<Problem>> problems) {
        Tables.Lanes lanes = tables.lanes;
        Tables.Enqueuers owners = tables.enqueuers;
        return look.select(lanes.lane, owners.name, owners.enqueuer, lanes.generation)
                .from(lanes.table)
                .leftJoin(owners.table)
                .on(owners.enqueuer.eq(lanes.owner), owners.seenAt.ge(DatabaseClock.ago(takeoverAfter)))
                .orderBy(lanes.lane)
                .fetch(Records.mapping((lane, owner, enqueuer, generation) -> {
                    BoundedCounts.Waiting here = waiting.in(lane);
                    return new Lane(
                            lane,
                            owner,
                            generation,
                            here.jobs(),
                            here.exact(),
                            here.oldestAgeSeconds(),
                            halted(problems.getOrDefault(String.valueOf(enqueuer), List.of()), lane));
                }));
    }

    private List<Instance> instances(DSLContext look, Duration takeoverAfter, Map<String, List<Problem>> problems) {
        Tables.Enqueuers enqueuers = tables.enqueuers;
        Tables.Lanes lanes = tables.lanes;
        return look.select(
                        enqueuers.enqueuer.cast(CLOB),
                        enqueuers.name,
                        enqueuers.delivery,
                        DatabaseClock.secondsSince(enqueuers.startedAt),
                        DatabaseClock.secondsSince(enqueuers.seenAt),
                        DSL.field(enqueuers.seenAt.ge(DatabaseClock.ago(takeoverAfter))),
                        DSL.field(DSL.selectCount().from(lanes.table).where(lanes.owner.eq(enqueuers.enqueuer))))
                .from(enqueuers.table)
                .orderBy(enqueuers.startedAt)
                .fetch(Records.mapping((id, name, delivery, started, seen, alive, owned) -> new Instance(
                        id, name, delivery, started, seen, alive, owned, problems.getOrDefault(id, List.of()))));
    }

    /** The number of jobs that are staged or moved aside now. */
    public long count() {
        Field<Long> all = DSL.field(DSL.select(COUNT).from(jobs.table))
                .plus(DSL.field(DSL.select(COUNT).from(parked.table)));
        return Transactions.asked("count the jobs", () -> dsl.select(all).fetchSingle(all));
    }

    /** Whether an operator has paused everything. */
    public boolean everythingPaused() {
        return pauses().contains(Membership.ALL_TOPICS);
    }

    /** The operator's pauses; {@code *} stands for everything. */
    public Set<String> pauses() {
        Tables.Pauses pauses = tables.pauses;
        return Transactions.asked(
                "read the pauses",
                () -> dsl.select(pauses.topic).from(pauses.table).fetchSet(pauses.topic));
    }

    /** What has happened so far; the difference of two is a rate. In a transaction of its own, and cheap. */
    public Counters counters(Duration patience) {
        return Transactions.briefly(
                dsl, "read its counters", "READ ONLY", patience, patience, look -> NamedSql.load(schema, "counters")
                        .query(look, Map.of())
                        .fetchSingle(row -> new Counters(
                                row.get("at", String.class),
                                row.get("last_id", long.class),
                                row.get("deleted", long.class),
                                row.get("moved_aside", long.class))));
    }

    /**
     * Counts that only grow, but for a crash of PostgreSQL, which sets the last two to zero.
     *
     * @param at when, by the database's clock
     * @param lastId the highest id drawn
     * @param deleted rows deleted from {@code staged_jobs}
     * @param movedAside rows inserted into {@code parked_jobs}
     */
    public record Counters(String at, long lastId, long deleted, long movedAside) {}

    /**
     * The highest id drawn so far: every job committed now has this id or a lower one, every later job a higher one.
     */
    public long lastId() {
        Tables.IdSequence ids = tables.idSequence;
        Field<Long> last = DSL.when(DSL.condition(ids.isCalled), ids.lastValue).otherwise(ids.lastValue.minus(1L));
        return Transactions.asked(
                "read the last id", () -> dsl.select(last).from(ids.table).fetchSingle(last));
    }

    /** Whether a job up to that id is staged: primary key, the first entry of each lane. */
    public boolean anyWaiting(long lastId) {
        Tables.Lanes lanes = tables.lanes;
        return Transactions.asked(
                "look for jobs",
                () -> dsl.fetchExists(DSL.selectOne()
                        .from(lanes.table)
                        .crossJoin(DSL.lateral(DSL.select(jobs.id)
                                .from(jobs.table)
                                .where(jobs.lane.eq(lanes.lane), jobs.id.le(lastId))
                                .limit(1)
                                .asTable("first")))));
    }

    /** The jobs up to that id that were moved aside, most first. */
    public List<Aside> aside(long lastId) {
        return Transactions.asked("count the jobs that were moved aside", () -> dsl.select(
                        parked.topic,
                        parked.state,
                        parked.reason,
                        DSL.coalesce(DSL.max(parked.error), DSL.inline("")),
                        COUNT)
                .from(parked.table)
                .where(parked.id.le(lastId))
                .groupBy(parked.topic, parked.state, parked.reason)
                .orderBy(COUNT.desc(), parked.topic, parked.state, parked.reason)
                .fetch(Records.mapping(Aside::new)));
    }

    /** The topics of the jobs up to that id that wait, most jobs first. */
    public List<Topic> waitingByTopic(long lastId) {
        return Transactions.asked("count by topic", () -> dsl.select(jobs.topic, COUNT)
                .from(jobs.table)
                .where(jobs.id.le(lastId))
                .groupBy(jobs.topic)
                .orderBy(COUNT.desc(), jobs.topic)
                .fetch(Records.mapping((topic, waiting) -> new Topic(topic, waiting, true))));
    }

    /** A count in words. */
    public static String jobs(long count) {
        return count + (count == 1 ? " job" : " jobs");
    }
}
