package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.Membership;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * Reads what waits and who works, for people and for {@code drain}. Reads only, needs no more than the observer's
 * privileges, and never a payload. It uses one connection, of one thread.
 */
public final class StatusReader {

    /** Whoever looks does not queue for long behind one who has locked a table. */
    static final Duration LOCKED_MAX = Duration.ofSeconds(5);

    private final DSLContext dsl;
    private final String jobs;
    private final String parked;
    private final String lanes;
    private final String enqueuers;
    private final Schema schema;
    private final Connection connection;

    /** Works on a connection in autocommit mode, which stays the caller's to close. */
    public StatusReader(Connection connection, Schema schema) {
        this.connection = connection;
        this.dsl = DSL.using(connection, SQLDialect.POSTGRES);
        this.schema = schema;
        this.jobs = schema.qualified("staged_jobs");
        this.parked = schema.qualified("parked_jobs");
        this.lanes = schema.qualified("staged_job_lanes");
        this.enqueuers = schema.qualified("staged_job_enqueuers");
    }

    /**
     * Everything at one look, in a transaction of its own, so that no job is counted twice or left out. Counts are exact: it
     * goes through {@code staged_jobs} and {@code parked_jobs} once each.
     *
     * @param patience how long a statement may take; for a lock it waits no longer than {@link #LOCKED_MAX}
     */
    public Status read(Duration takeoverAfter, Duration patience) {
        return Transactions.asked(
                "read the status",
                () -> dsl.transactionResult(configuration -> {
                    DSLContext look = configuration.dsl();
                    look.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
                    look.execute("SET LOCAL statement_timeout = " + patience.toMillis());
                    look.execute("SET LOCAL lock_timeout = " + LOCKED_MAX.toMillis());
                    return read(look, takeoverAfter);
                }));
    }

    private Status read(DSLContext look, Duration takeoverAfter) {
        Map<Integer, Waiting> byLane = new HashMap<>();
        Map<String, Long> byTopic = new TreeMap<>();
        look.fetch("SELECT lane, topic, count(*), " + Statements.secondsSince("min(staged_at)") + " FROM " + jobs
                        + " GROUP BY lane, topic")
                .forEach(row -> {
                    Waiting waiting = new Waiting(row.get(2, long.class), row.get(3, double.class));
                    byLane.merge(row.get(0, int.class), waiting, Waiting::plus);
                    byTopic.merge(row.get(1, String.class), waiting.jobs, Long::sum);
                });
        List<Lane> all = look.fetch(
                        "SELECT l.lane, e.name, l.generation FROM " + lanes + " AS l LEFT JOIN " + enqueuers + " AS e"
                                + " ON e.enqueuer = l.owner AND e.seen_at >= clock_timestamp() - ? * interval '1 ms'"
                                + " ORDER BY l.lane",
                        takeoverAfter.toMillis())
                .map(row -> {
                    Waiting waiting = byLane.getOrDefault(row.get(0, int.class), Waiting.NOTHING);
                    return new Lane(
                            row.get(0, int.class),
                            row.get(1, String.class),
                            row.get(2, long.class),
                            waiting.jobs,
                            waiting.oldestAgeSeconds);
                });
        Waiting waiting = byLane.values().stream().reduce(Waiting.NOTHING, Waiting::plus);
        return new Status(
                schema.version(connection),
                waiting.jobs,
                waiting.oldestAgeSeconds,
                byTopic.entrySet().stream()
                        .map(topic -> new Topic(topic.getKey(), topic.getValue()))
                        .sorted(Comparator.comparingLong(Topic::backlog).reversed())
                        .toList(),
                aside(Long.MAX_VALUE),
                pauses().stream().sorted().toList(),
                all,
                instances(look, takeoverAfter));
    }

    private List<Instance> instances(DSLContext look, Duration takeoverAfter) {
        return look.fetch(
                        "SELECT enqueuer, name, delivery,"
                                + " extract(epoch FROM clock_timestamp() - started_at),"
                                + " extract(epoch FROM clock_timestamp() - seen_at),"
                                + " seen_at >= clock_timestamp() - ? * interval '1 ms',"
                                + " (SELECT count(*) FROM " + lanes + " AS l WHERE l.owner = e.enqueuer)"
                                + " FROM " + enqueuers + " AS e ORDER BY started_at",
                        takeoverAfter.toMillis())
                .map(row -> new Instance(
                        row.get(0, String.class),
                        row.get(1, String.class),
                        row.get(2, String.class),
                        row.get(3, double.class),
                        row.get(4, double.class),
                        row.get(5, boolean.class),
                        row.get(6, int.class)));
    }

    private record Waiting(long jobs, double oldestAgeSeconds) {

        static final Waiting NOTHING = new Waiting(0, 0);

        Waiting plus(Waiting other) {
            return new Waiting(jobs + other.jobs, Math.max(oldestAgeSeconds, other.oldestAgeSeconds));
        }
    }

    /** How many jobs are staged or moved aside now. */
    public long count() {
        return Transactions.asked("count the jobs", () -> dsl.fetchSingle(
                        "SELECT (SELECT count(*) FROM " + jobs + ") + (SELECT count(*) FROM " + parked + ")")
                .get(0, long.class));
    }

    /** Whether an operator has paused everything. */
    public boolean everythingPaused() {
        return pauses().contains(Membership.ALL_TOPICS);
    }

    /** What an operator has paused; {@code *} stands for everything. */
    public Set<String> pauses() {
        return Transactions.asked(
                "read what is paused", () -> dsl.fetch("SELECT topic FROM " + schema.qualified("staged_job_pauses"))
                        .intoSet(0, String.class));
    }

    /** The highest id drawn so far: every job that is committed now has it or a lower one, every later job a higher one. */
    public long lastId() {
        return Transactions.asked("read the last id", () -> dsl.fetchSingle(
                        "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM "
                                + schema.qualified("staged_jobs_id_seq"))
                .get(0, long.class));
    }

    /** Whether a job up to that id is staged. */
    public boolean anyWaiting(long lastId) {
        return Transactions.asked("look for jobs", () -> dsl.fetchSingle(
                        "SELECT EXISTS (SELECT FROM " + lanes + " AS l CROSS JOIN LATERAL (SELECT FROM " + jobs
                                + " AS j WHERE j.lane = l.lane AND j.id <= ? LIMIT 1) AS first)",
                        lastId)
                .get(0, boolean.class));
    }

    /** The jobs up to that id that were moved aside, most first. */
    public List<Aside> aside(long lastId) {
        return Transactions.asked("count what is moved aside", () -> dsl.fetch(
                        "SELECT topic, state, reason, coalesce(max(error), ''), count(*) FROM " + parked
                                + " WHERE id <= ? GROUP BY topic, state, reason ORDER BY 5 DESC, 1, 2, 3",
                        lastId)
                .map(row -> new Aside(
                        row.get(0, String.class),
                        row.get(1, String.class),
                        row.get(2, String.class),
                        row.get(3, String.class),
                        row.get(4, long.class))));
    }

    /** The topics of the jobs up to that id that wait, most jobs first. */
    public List<Topic> waitingByTopic(long lastId) {
        return Transactions.asked("count by topic", () -> dsl.fetch(
                        "SELECT topic, count(*) FROM " + jobs + " WHERE id <= ? GROUP BY topic ORDER BY 2 DESC, 1",
                        lastId)
                .map(row -> new Topic(row.get(0, String.class), row.get(1, long.class))));
    }

    /** A count in words. */
    public static String jobs(long count) {
        return count + (count == 1 ? " job" : " jobs");
    }

    /**
     * What waits and who works.
     *
     * @param schemaVersion the installed one
     * @param backlog jobs that wait
     * @param oldestAgeSeconds since the oldest of them was staged
     * @param topics of the jobs that wait, most jobs first
     * @param aside what was moved aside, most jobs first
     * @param paused topics, {@code *} for everything
     */
    public record Status(
            int schemaVersion,
            long backlog,
            double oldestAgeSeconds,
            List<Topic> topics,
            List<Aside> aside,
            List<String> paused,
            List<Lane> lanes,
            List<Instance> enqueuers) {}

    /** A topic and how many jobs wait for it. */
    public record Topic(String topic, long backlog) {}

    /**
     * Jobs that were moved aside for the same reason.
     *
     * @param state {@code held} or {@code parked}
     * @param error one of their errors, empty if there is none
     */
    public record Aside(String topic, String state, String reason, String error, long jobs) {

        /** Whether they return by themselves. */
        public boolean held() {
            return state.equals("held");
        }
    }

    /**
     * A lane.
     *
     * @param owner name of the live enqueuer that owns it, null if none does
     */
    public record Lane(int lane, @Nullable String owner, long generation, long backlog, double oldestAgeSeconds) {}

    /**
     * An enqueuer; one that is not alive ended without leaving.
     *
     * @param lanes how many it owns; none if it stands by
     */
    public record Instance(
            String id,
            String name,
            String delivery,
            double startedSecondsAgo,
            double seenSecondsAgo,
            boolean alive,
            int lanes) {}
}
