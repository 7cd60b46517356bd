package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.diagnosis.Finding;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import io.stagedjobs.enqueuer.diagnosis.Work;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.Records;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.SQLDataType;
import org.jspecify.annotations.Nullable;

/**
 * Reads which jobs wait and which enqueuers work, without counting a table. Two readings, a second apart, show whether
 * jobs move.
 */
final class WorkReader {

    private static final long APART_NANOS = Duration.ofSeconds(1).toNanos();
    private static final int COUNTED_MAX = 1_000;
    private static final String ASIDE = "jobs moved aside";
    private static final String WORK = "lanes and enqueuers";

    private final ShortLook look;
    private final Schema schema;
    private final Tables tables;
    private final Duration takeoverAfter;

    private Map<Integer, Long> firstBefore = Map.of();
    private long began;

    WorkReader(ShortLook look, Schema schema, Duration takeoverAfter) {
        this.look = look;
        this.schema = schema;
        this.tables = new Tables(schema);
        this.takeoverAfter = takeoverAfter;
    }

    /** The first reading. */
    @SuppressWarnings("EmptyCatch") // the second reading meets the same error, and reports it
    void begin() {
        began = System.nanoTime();
        try {
            firstBefore = first(look.at(this::lanes));
        } catch (DataAccessException e) {
            // without a first reading
        }
    }

    /** The second reading; null if it failed, which is a finding then. */
    @Nullable
    Work work(List<Work.Writer> writers, List<Finding> findings) {
        try {
            List<Work.Aside> aside = aside(findings);
            if (!firstBefore.isEmpty()) {
                LockSupport.parkNanos(began + APART_NANOS - System.nanoTime());
            }
            return look.at(dsl -> {
                List<Record> lanes = lanes(dsl);
                return new Work(
                        lanes.stream().map(WorkReader::lane).toList(),
                        moved(first(lanes)),
                        enqueuers(dsl),
                        dsl.select(tables.pauses.topic, DatabaseClock.secondsSince(tables.pauses.pausedAt))
                                .from(tables.pauses.table)
                                .orderBy(tables.pauses.topic)
                                .fetch(Records.mapping(Work.Pause::new)),
                        aside,
                        writers);
            });
        } catch (DataAccessException e) {
            findings.add(ShortLook.notLooked(WORK, e));
            return null;
        }
    }

    private boolean moved(Map<Integer, Long> firstNow) {
        return firstBefore.entrySet().stream()
                .anyMatch(before -> !before.getValue().equals(firstNow.get(before.getKey())));
    }

    private List<Record> lanes(DSLContext dsl) {
        return List.copyOf(NamedSql.load(schema, "doctor-lanes")
                .query(dsl, Map.of("takeover_millis", takeoverAfter.toMillis()))
                .fetch());
    }

    private static Work.Lane lane(Record row) {
        return new Work.Lane(
                row.get("lane", int.class),
                row.get("owner", String.class),
                row.get("first_id") != null,
                row.get("seconds", double.class));
    }

    private static Map<Integer, Long> first(List<Record> lanes) {
        Map<Integer, Long> first = new HashMap<>();
        lanes.stream()
                .filter(row -> row.get("first_id") != null)
                .forEach(row -> first.put(row.get("lane", Integer.class), row.get("first_id", Long.class)));
        return first;
    }

    private List<Work.Enqueuer> enqueuers(DSLContext dsl) {
        Map<String, List<Work.Problem>> problems = StatusReader.problems(dsl, schema);
        Tables.Enqueuers all = tables.enqueuers;
        return dsl.select(
                        all.enqueuer.cast(SQLDataType.CLOB),
                        all.name,
                        DSL.field(all.seenAt.ge(DatabaseClock.ago(takeoverAfter))),
                        DatabaseClock.secondsSince(all.seenAt))
                .from(all.table)
                .orderBy(all.startedAt)
                .fetch(Records.mapping((id, name, alive, seen) ->
                        new Work.Enqueuer(id, name, alive, seen, problems.getOrDefault(id, List.of()))));
    }

    private List<Work.Aside> aside(List<Finding> findings) {
        List<Work.Aside> aside = new ArrayList<>();
        findings.addAll(look.check(ASIDE, dsl -> {
            NamedSql.load(schema, "doctor-held").query(dsl, Map.of()).forEach(row -> aside.add(aside(row, true)));
            int held = aside.size();
            List<Record> parked = List.copyOf(
                    NamedSql.load(schema, "doctor-parked").query(dsl, Map.of()).fetch());
            parked.forEach(row -> aside.add(aside(row, false)));
            return List.of(
                    parked.isEmpty()
                            ? new Finding(
                                    ASIDE,
                                    Verdict.OK,
                                    held == 0
                                            ? "none"
                                            : "jobs of " + held + " topic(s) are held, and return by themselves when"
                                                    + " their topic takes jobs",
                                    "")
                            : parked(parked));
        }));
        return aside;
    }

    private static Work.Aside aside(Record row, boolean held) {
        return new Work.Aside(
                row.get("topic", String.class), held, row.get("reason", String.class), row.get("error", String.class));
    }

    private static Finding parked(List<Record> topics) {
        long jobs =
                topics.stream().mapToLong(row -> row.get("jobs", long.class)).sum();
        Record most = topics.get(0);
        String error = most.get("error", String.class);
        return new Finding(
                ASIDE,
                Verdict.WRONG,
                (jobs < COUNTED_MAX ? jobs + (jobs == 1 ? " job is" : " jobs are") : COUNTED_MAX + " jobs or more are")
                        + " parked and wait for a person, of "
                        + topics.stream()
                                .limit(3)
                                .map(row -> "topic " + row.get("topic", String.class))
                                .collect(Collectors.joining(", "))
                        + (topics.size() > 3 ? " and others" : "") + ": "
                        + (error.isEmpty() ? most.get("reason", String.class) : error),
                "Look: staged-jobs parked list. Once the cause is gone: staged-jobs parked requeue --topic "
                        + most.get("topic", String.class) + " --yes; or drop them: staged-jobs parked discard --topic "
                        + most.get("topic", String.class) + " --yes");
    }

    /** Of jobs that wait, as many as are worth asking Kafka for. */
    List<String> topics(List<Finding> findings) {
        List<String> topics = new ArrayList<>();
        findings.addAll(look.check("topics of waiting jobs", dsl -> {
            topics.addAll(
                    NamedSql.load(schema, "doctor-topics").query(dsl, Map.of()).fetch("topic", String.class));
            return List.of();
        }));
        return topics;
    }
}
