package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.diagnosis.Finding;
import io.stagedjobs.enqueuer.diagnosis.Thresholds;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import io.stagedjobs.schema.Schema;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jooq.Record;
import org.jooq.Result;
import org.jspecify.annotations.Nullable;

/** Foreign objects on the tables of jobs, the sequence of ids, and the work that is left for vacuum. */
final class TableFindings {

    private final ShortLook look;
    private final Schema schema;
    private final Thresholds thresholds;

    TableFindings(ShortLook look, Schema schema, Thresholds thresholds) {
        this.look = look;
        this.schema = schema;
        this.thresholds = thresholds;
    }

    List<Finding> strangers() {
        String check = "triggers, rules, policies and indexes";
        return look.check(check, dsl -> {
            Result<Record> rows = NamedSql.load(schema, "doctor-strangers")
                    .query(dsl, Map.of("schema_name", schema.name()))
                    .fetch();
            if (rows.isEmpty()) {
                return List.of(new Finding(check, Verdict.OK, "only those of the migrations", ""));
            }
            boolean wrong = rows.get(0).get("wrong", boolean.class);
            return List.of(new Finding(
                    check,
                    wrong ? Verdict.WRONG : Verdict.WARNING,
                    "there is "
                            + rows.stream()
                                    .map(row -> row.get("found", String.class))
                                    .collect(Collectors.joining("; "))
                            + (wrong
                                    ? ": it may hide rows, or keep them from being deleted, and jobs would be published"
                                            + " again and again"
                                    : ": every business transaction that stages jobs pays for it"),
                    "As the owner of the tables: "
                            + rows.stream()
                                    .map(row -> row.get("fix", String.class))
                                    .collect(Collectors.joining(" "))));
        });
    }

    List<Finding> vacuum() {
        return look.check("vacuum", dsl -> {
            List<Finding> findings = new ArrayList<>();
            NamedSql.load(schema, "doctor-tables")
                    .query(dsl, Map.of("schema_name", schema.name()))
                    .forEach(row -> {
                        findings.add(vacuum(row));
                        if (row.get("sequence_cache") != null) {
                            findings.add(sequence(row));
                        }
                    });
            return findings;
        });
    }

    private Finding vacuum(Record row) {
        String relation = row.get("relation", String.class);
        long dead = row.get("dead", long.class);
        String seen = String.format(
                Locale.ROOT,
                "%s: about %d rows and %d dead ones in %.1f MB, %s",
                relation,
                row.get("live", long.class),
                dead,
                row.get("bytes", long.class) / 1e6,
                vacuumed(row.get("vacuumed_seconds", Double.class)));
        if (!row.get("vacuumed_by_itself", boolean.class)) {
            return new Finding(
                    "vacuum",
                    Verdict.WRONG,
                    seen + "; autovacuum is off",
                    "ALTER TABLE " + relation + " RESET (autovacuum_enabled); ALTER SYSTEM SET autovacuum = on;"
                            + " SELECT pg_reload_conf();");
        }
        return dead < thresholds.deadRows()
                ? new Finding("vacuum", Verdict.OK, seen, "")
                : new Finding(
                        "vacuum",
                        Verdict.WARNING,
                        seen,
                        "If the check \"old snapshots\" names a holder, end that first. Then: VACUUM (VERBOSE) "
                                + relation + ";");
    }

    private static String vacuumed(@Nullable Double seconds) {
        return seconds == null
                ? "not vacuumed since the statistics began"
                : String.format(Locale.ROOT, "last vacuumed %.0f s ago", seconds);
    }

    private static Finding sequence(Record row) {
        long cache = row.get("sequence_cache", long.class);
        long increment = row.get("sequence_increment", long.class);
        return cache == 1 && increment > 0
                ? new Finding("ids", Verdict.OK, "drawn one by one (CACHE 1)", "")
                : new Finding(
                        "ids",
                        Verdict.WRONG,
                        "the sequence of ids has CACHE " + cache + " and INCREMENT " + increment
                                + ": jobs of one key may be published in another order than they were committed in",
                        "As the owner of the tables: ALTER TABLE " + row.get("relation", String.class)
                                + " ALTER COLUMN id SET CACHE 1 SET INCREMENT 1;");
    }
}
