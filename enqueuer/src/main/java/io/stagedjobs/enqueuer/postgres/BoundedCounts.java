package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.postgres.Status.Aside;
import io.stagedjobs.enqueuer.postgres.Status.Topic;
import io.stagedjobs.schema.Schema;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.exception.DataAccessException;

/**
 * Counts what waits and what was moved aside in a time that does not grow with the tables. The first jobs of each lane
 * are counted by the primary key. Of a lane that has more, a random sample of pages says how many, in the same
 * snapshot. Where even the first jobs take too long, because dead rows that cannot be vacuumed yet stand before them,
 * the sample has to do.
 */
final class BoundedCounts {

    /** In all lanes together; of each lane at least {@link #LANE_MIN}. */
    static final int COUNTED_MAX = 100_000;

    private static final int LANE_MIN = 1_000;

    /** 16 MB, which a cold disk reads in a fraction of a second; a total is a few per cent wrong. */
    private static final int SAMPLED_PAGES = 2_000;

    private static final String TIMED_OUT = "57014";

    private final DSLContext look;
    private final Schema schema;
    private final int lanes;
    private final int laneMax;
    private final Duration patience;

    /**
     * @param look in an open transaction that sees one snapshot
     * @param patience how long a count may take before the sample has to do
     */
    BoundedCounts(DSLContext look, Schema schema, int lanes, Duration patience) {
        this.look = look;
        this.schema = schema;
        this.lanes = lanes;
        this.laneMax = Math.max(LANE_MIN, COUNTED_MAX / Math.max(1, lanes));
        this.patience = patience;
    }

    /** Jobs that have their lane and {@code kind} in common. */
    private record Group<K>(int lane, K kind, long jobs, double oldestAgeSeconds) {

        /** The same jobs, seen twice: neither look sees too many, but by chance. */
        Group<K> or(Group<K> other) {
            return new Group<>(
                    lane, kind, Math.max(jobs, other.jobs), Math.max(oldestAgeSeconds, other.oldestAgeSeconds));
        }

        Group<K> times(double factor) {
            return new Group<>(lane, kind, Math.round(jobs * factor), oldestAgeSeconds);
        }
    }

    /** @param estimated lanes whose numbers are no exact counts */
    private record Counted<K>(Collection<Group<K>> groups, Set<Integer> estimated) {}

    /** What waits. */
    static final class Waiting {
        private final Counted<String> counted;

        private Waiting(Counted<String> counted) {
            this.counted = counted;
        }

        boolean exact() {
            return counted.estimated.isEmpty();
        }

        long jobs() {
            return counted.groups.stream().mapToLong(Group::jobs).sum();
        }

        double oldestAgeSeconds() {
            return counted.groups.stream()
                    .mapToDouble(Group::oldestAgeSeconds)
                    .max()
                    .orElse(0);
        }

        Waiting in(int lane) {
            return new Waiting(new Counted<>(
                    counted.groups.stream().filter(group -> group.lane == lane).toList(),
                    counted.estimated.contains(lane) ? Set.of(lane) : Set.of()));
        }

        /** Most jobs first. */
        List<Topic> byTopic() {
            return counted.groups.stream()
                    .collect(Collectors.groupingBy(Group::kind, TreeMap::new, Collectors.summingLong(Group::jobs)))
                    .entrySet()
                    .stream()
                    .map(topic -> new Topic(topic.getKey(), topic.getValue(), exact()))
                    .sorted(Comparator.comparingLong(Topic::backlog).reversed())
                    .toList();
        }
    }

    /** What was moved aside, most first. */
    record AsideCounts(List<Aside> groups, boolean exact) {}

    private record Kind(String topic, String state, String reason) {}

    Waiting waiting() {
        return new Waiting(counted("waiting", "staged", row -> row.get("topic", String.class)));
    }

    /** All that waits, however long that takes. */
    Waiting allWaiting(List<Record> rows) {
        return new Waiting(new Counted<>(groups(rows, row -> row.get("topic", String.class)), Set.of()));
    }

    AsideCounts movedAside() {
        Map<Kind, String> errors = new HashMap<>();
        Counted<Kind> counted = counted("aside", "parked", row -> {
            Kind kind = new Kind(
                    row.get("topic", String.class), row.get("state", String.class), row.get("reason", String.class));
            errors.putIfAbsent(kind, row.get("error", String.class));
            return kind;
        });
        Map<Kind, Long> jobs = counted.groups.stream()
                .collect(Collectors.groupingBy(Group::kind, Collectors.summingLong(Group::jobs)));
        return new AsideCounts(
                jobs.entrySet().stream()
                        .map(group -> new Aside(
                                group.getKey().topic,
                                group.getKey().state,
                                group.getKey().reason,
                                errors.getOrDefault(group.getKey(), ""),
                                group.getValue()))
                        .sorted(Comparator.comparingLong(Aside::jobs)
                                .reversed()
                                .thenComparing(Aside::topic)
                                .thenComparing(Aside::state)
                                .thenComparing(Aside::reason))
                        .toList(),
                counted.estimated.isEmpty());
    }

    private <K> Counted<K> counted(String what, String table, Function<Record, K> kind) {
        Optional<List<Group<K>>> first = firstOfEachLane(what, kind);
        Set<Integer> estimated = first.map(this::lanesWithMore)
                .orElseGet(() -> IntStream.range(0, lanes).boxed().collect(Collectors.toSet()));
        List<Group<K>> counted = first.orElse(List.of());
        if (estimated.isEmpty()) {
            return new Counted<>(counted, estimated);
        }
        Map<List<Object>, Group<K>> all = new LinkedHashMap<>();
        counted.forEach(group -> all.put(List.of(group.lane, group.kind), group));
        sample(what, table, kind).stream()
                .filter(group -> estimated.contains(group.lane))
                .forEach(group -> all.merge(List.of(group.lane, group.kind), group, Group::or));
        return new Counted<>(all.values(), estimated);
    }

    private <K> Set<Integer> lanesWithMore(List<Group<K>> first) {
        return first.stream()
                .collect(Collectors.groupingBy(Group::lane, Collectors.summingLong(Group::jobs)))
                .entrySet()
                .stream()
                .filter(lane -> lane.getValue() >= laneMax)
                .map(Map.Entry::getKey)
                .collect(Collectors.toSet());
    }

    /** Empty if it takes too long. */
    private <K> Optional<List<Group<K>>> firstOfEachLane(String what, Function<Record, K> kind) {
        try {
            return Optional.of(look.transactionResult(savepoint -> {
                savepoint.dsl().execute("SET LOCAL statement_timeout = " + patience.toMillis());
                return groups(
                        NamedSql.load(schema, "count-" + what)
                                .query(savepoint.dsl(), Map.of("rows_max", laneMax))
                                .fetch(),
                        kind);
            }));
        } catch (DataAccessException e) {
            if (Transactions.said(e) instanceof SQLException said && TIMED_OUT.equals(said.getSQLState())) {
                return Optional.empty();
            }
            throw e;
        }
    }

    private <K> List<Group<K>> sample(String what, String table, Function<Record, K> kind) {
        long pages = NamedSql.load(schema, "pages")
                .query(look, Map.of())
                .fetchSingle()
                .get(table, long.class);
        double share = Math.min(1, (double) SAMPLED_PAGES / Math.max(1, pages));
        return groups(
                        NamedSql.load(schema, "sample-" + what)
                                .query(look, Map.of("percent", 100 * share))
                                .fetch(),
                        kind)
                .stream()
                .map(group -> group.times(1 / share))
                .toList();
    }

    private static <K> List<Group<K>> groups(List<? extends Record> rows, Function<Record, K> kind) {
        return rows.stream()
                .map(row -> new Group<>(
                        row.get("lane", int.class),
                        kind.apply(row),
                        row.get("jobs", long.class),
                        row.field("seconds") == null ? 0 : row.get("seconds", double.class)))
                .toList();
    }
}
