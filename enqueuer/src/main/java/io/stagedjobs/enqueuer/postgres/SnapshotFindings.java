package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.diagnosis.Finding;
import io.stagedjobs.enqueuer.diagnosis.Thresholds;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import io.stagedjobs.enqueuer.diagnosis.Work;
import io.stagedjobs.schema.Schema;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;

/** What holds vacuum back, and which open transactions have written jobs or locked their table. */
final class SnapshotFindings {

    private static final int NAMED_MAX = 5;
    private static final String SNAPSHOTS = "old snapshots";
    private static final String LOCKS = "table locks";
    private static final String WRITERS = "open writers";

    private final ShortLook look;
    private final Schema schema;
    private final Thresholds thresholds;

    SnapshotFindings(ShortLook look, Schema schema, Thresholds thresholds) {
        this.look = look;
        this.schema = schema;
        this.thresholds = thresholds;
    }

    /** One for each old holder, the oldest first. A holder that already keeps many dead rows is wrong. */
    List<Finding> holders() {
        return look.check(SNAPSHOTS, dsl -> {
            boolean bloated = deadRows(dsl) >= thresholds.deadRows();
            List<Finding> old = NamedSql.load(schema, "doctor-snapshots").query(dsl, Map.of()).stream()
                    .filter(this::isOld)
                    .limit(NAMED_MAX)
                    .map(row -> finding(row, bloated && row.get("keeps_rows", boolean.class)))
                    .toList();
            return old.isEmpty() ? List.of(new Finding(SNAPSHOTS, Verdict.OK, "nothing holds vacuum back", "")) : old;
        });
    }

    private long deadRows(DSLContext dsl) {
        return NamedSql.load(schema, "doctor-tables")
                .query(dsl, Map.of("schema_name", schema.name()))
                .fetch("dead", long.class)
                .stream()
                .mapToLong(Long::longValue)
                .max()
                .orElse(0);
    }

    /** A holder without a visible age, such as a slot, counts as old at once if nobody reads it. */
    private boolean isOld(Record row) {
        Double seconds = row.get("seconds", Double.class);
        return seconds == null
                ? row.get("who", String.class).endsWith("nobody reads") || transactions(row) > thresholds.deadRows()
                : seconds >= thresholds.snapshot().toSeconds();
    }

    private static long transactions(Record row) {
        Long transactions = row.get("transactions", Long.class);
        return transactions == null ? 0 : transactions;
    }

    private static Finding finding(Record row, boolean wrong) {
        Double seconds = row.get("seconds", Double.class);
        boolean keepsRows = row.get("keeps_rows", boolean.class);
        return new Finding(
                SNAPSHOTS,
                wrong ? Verdict.WRONG : Verdict.WARNING,
                row.get("who", String.class)
                        + (keepsRows
                                ? " keeps vacuum from removing deleted jobs: it holds a snapshot that is "
                                        + transactions(row) + " transactions old"
                                : " keeps the catalogue's dead rows and the write-ahead log, until the disk is full")
                        + since(seconds),
                String.valueOf(row.get("fix", String.class)));
    }

    private static String since(@Nullable Double seconds) {
        return seconds == null ? "" : String.format(Locale.ROOT, ", for %.0f s", seconds);
    }

    /** The open writers. Adds what is worth reporting about them, and about locks on the table, to the findings. */
    List<Work.Writer> writers(List<Finding> findings) {
        List<Record> rows;
        try {
            rows = look.at(dsl -> List.copyOf(NamedSql.load(schema, "doctor-writers")
                    .query(dsl, Map.of("schema_name", schema.name()))
                    .fetch()));
        } catch (DataAccessException e) {
            findings.add(ShortLook.notLooked(WRITERS, e));
            return List.of();
        }
        findings.add(rows.stream()
                .filter(row -> row.get("locks_others_out", boolean.class))
                .findFirst()
                .map(row -> new Finding(
                        LOCKS,
                        Verdict.WRONG,
                        row.get("who", String.class) + " holds a lock on staged_jobs that keeps others out"
                                + since(row.get("seconds", Double.class)),
                        "Let it end its transaction, or: " + row.get("fix", String.class)))
                .orElseGet(() -> new Finding(
                        LOCKS, Verdict.OK, "no session holds a lock on staged_jobs that keeps others out", "")));
        List<Work.Writer> writers = rows.stream()
                .map(row -> new Work.Writer(
                        row.get("who", String.class), row.get("seconds", Double.class), row.get("fix", String.class)))
                .toList();
        findings.add(writers.stream()
                .filter(writer -> writer.seconds() == null
                        || writer.seconds() >= thresholds.writer().toSeconds())
                .findFirst()
                .map(SnapshotFindings::open)
                .orElseGet(() ->
                        new Finding(WRITERS, Verdict.OK, "no transaction that wrote jobs has been open for long", "")));
        return writers;
    }

    private static Finding open(Work.Writer writer) {
        return writer.seconds() == null
                ? Finding.notLooked(
                        WRITERS,
                        "a transaction that wrote jobs is open, and this role may not see since when: " + writer.who(),
                        "GRANT pg_read_all_stats to this role, or ask as a role that has it")
                : new Finding(
                        WRITERS,
                        Verdict.WARNING,
                        "a transaction that wrote jobs has been open for "
                                + String.format(Locale.ROOT, "%.0f s", Objects.requireNonNull(writer.seconds())) + ": "
                                + writer.who() + ". Its jobs are published after its commit",
                        "Let the application commit, or end it, which rolls its jobs back: " + writer.end());
    }
}
