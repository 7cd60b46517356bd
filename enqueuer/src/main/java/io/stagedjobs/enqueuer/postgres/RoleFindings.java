package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.diagnosis.Finding;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import io.stagedjobs.schema.Schema;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jooq.Record;
import org.jooq.Result;

/** What this role may do, and what its transactions have by default. */
final class RoleFindings {

    private final ShortLook look;
    private final Schema schema;
    private final Duration publishTimeout;

    RoleFindings(ShortLook look, Schema schema, Duration publishTimeout) {
        this.look = look;
        this.schema = schema;
        this.publishTimeout = publishTimeout;
    }

    List<Finding> privileges() {
        return look.check("privileges", dsl -> {
            Result<Record> rows = NamedSql.load(schema, "doctor-privileges")
                    .query(dsl, Map.of("schema_name", schema.name()))
                    .fetch();
            String role = rows.isEmpty() ? "?" : rows.get(0).get("role", String.class);
            List<Record> missing =
                    rows.stream().filter(row -> row.get("missing") != null).toList();
            boolean usage = rows.isEmpty() || rows.get(0).get("schema_usage", boolean.class);
            if (missing.isEmpty() && usage) {
                return List.of(
                        new Finding("privileges", Verdict.OK, "role " + role + " has all that an enqueuer needs", ""));
            }
            String seen = missing.stream()
                    .map(row -> row.get("missing", String.class) + " on " + row.get("relation", String.class))
                    .collect(Collectors.joining("; "));
            boolean observes = usage && rows.stream().noneMatch(row -> row.get("writes", boolean.class));
            return List.of(
                    observes
                            ? new Finding(
                                    "privileges",
                                    Verdict.OK,
                                    "role " + role + " may write nothing: enough to look, not to run an enqueuer. What"
                                            + " the enqueuers' role may do was not looked at",
                                    "Ask as that role too")
                            : new Finding(
                                    "privileges",
                                    Verdict.WRONG,
                                    "role " + role + " lacks " + (usage ? "" : "USAGE on the schema; ") + seen,
                                    "As the owner of the tables: " + grants(role, usage, rows, missing)));
        });
    }

    private static String grants(String role, boolean usage, Result<Record> rows, List<Record> missing) {
        List<String> grants = new ArrayList<>();
        if (!usage) {
            grants.add("GRANT USAGE ON SCHEMA " + rows.get(0).get("schema", String.class) + " TO " + role + ";");
        }
        missing.forEach(row -> grants.add("GRANT " + row.get("missing", String.class) + " ON "
                + row.get("relation", String.class) + " TO " + role + ";"));
        return String.join(" ", grants);
    }

    List<Finding> session() {
        return look.check("defaults of transactions", dsl -> {
            Record row =
                    NamedSql.load(schema, "doctor-session").query(dsl, Map.of()).fetchSingle();
            return List.of(defaults(row), timeouts(row));
        });
    }

    private static Finding defaults(Record row) {
        String role = row.get("role", String.class);
        List<String> risks = new ArrayList<>();
        List<String> fixes = new ArrayList<>();
        String commit = row.get("synchronous_commit", String.class);
        if (commit.equals("off")) {
            risks.add("synchronous_commit is off: enqueuers set it on for themselves, but a crash of PostgreSQL may"
                    + " lose rows and jobs that applications with this default were told are committed");
            fixes.add("ALTER ROLE " + role + " SET synchronous_commit = on;");
        }
        if (!row.get("fsync", boolean.class) || !row.get("full_page_writes", boolean.class)) {
            risks.add("fsync or full_page_writes is off: a crash of the machine may lose the database");
            fixes.add("ALTER SYSTEM SET fsync = on; ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();");
        }
        if (row.get("read_only", boolean.class)) {
            risks.add("default_transaction_read_only is on, so that migrate, parked and pause are refused");
            fixes.add("ALTER ROLE " + role + " SET default_transaction_read_only = off;");
        }
        String isolation = row.get("isolation", String.class);
        String seen = "PostgreSQL " + row.get("version", String.class) + ", role " + role + ": isolation " + isolation
                + (isolation.equals("read committed") ? "" : " (enqueuers set read committed for themselves)")
                + ", synchronous_commit " + commit;
        return risks.isEmpty()
                ? new Finding("defaults of transactions", Verdict.OK, seen, "")
                : new Finding(
                        "defaults of transactions",
                        Verdict.WARNING,
                        seen + "; " + String.join("; ", risks),
                        String.join(" ", fixes));
    }

    /** Those of ours are set for each session, in an order of their own; these two are not, and end what we need. */
    private Finding timeouts(Record row) {
        String role = row.get("role", String.class);
        long transaction = Objects.requireNonNull(row.get("transaction_millis", Long.class));
        long idle = Objects.requireNonNull(row.get("idle_session_millis", Long.class));
        String check = "time-outs of PostgreSQL";
        if (transaction > 0 && transaction <= 2 * publishTimeout.toMillis()) {
            return new Finding(
                    check,
                    Verdict.WRONG,
                    "transaction_timeout of role " + role + " is " + transaction
                            + " ms: it ends batches that wait for Kafka for up to publish.timeout, "
                            + publishTimeout.toMillis() + " ms",
                    "ALTER ROLE " + role + " SET transaction_timeout = 0;");
        }
        if (idle > 0) {
            return new Finding(
                    check,
                    Verdict.WARNING,
                    "idle_session_timeout of role " + role + " is " + idle
                            + " ms: it ends connections that the enqueuers keep",
                    "ALTER ROLE " + role + " SET idle_session_timeout = 0;");
        }
        return new Finding(
                check,
                Verdict.OK,
                "nothing ends a transaction before publish.timeout (" + publishTimeout.toMillis()
                        + " ms) is over; idle ones of enqueuers are ended by idle_in_transaction_session_timeout "
                        + SessionSettings.idleInTransactionMax(publishTimeout).toMillis() + " ms, which they set",
                "");
    }
}
