package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.util.List;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/**
 * Looks for what would make a DELETE of published jobs, or an INSERT of moved ones, silently do less than it says: jobs
 * would be published for ever, or be gone.
 */
public final class TableChecks {

    private TableChecks() {}

    /** @throws ExternalFailureException naming all that was found, and the way out */
    public static void requireNothingInTheWay(Connection connection, Schema schema) {
        DSLContext dsl = DSL.using(connection, SQLDialect.POSTGRES);
        String tables = "(to_regclass(?), to_regclass(?))";
        String jobs = schema.qualified("staged_jobs");
        String parked = schema.qualified("parked_jobs");
        try {
            List<String> found = dsl.fetch(
                            // Row-level security that counts for this role: owners and BYPASSRLS are exempt from it.
                            "SELECT 'row-level security of ' || c.relname || ' that applies to role ' || current_user"
                                    + " FROM pg_catalog.pg_class AS c WHERE c.oid IN " + tables
                                    + " AND row_security_active(c.oid)"
                                    + " UNION ALL SELECT 'rule ' || r.rulename || ' on ' || r.ev_class::regclass::text"
                                    + " FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class IN " + tables
                                    // Those that come before a row is changed may keep it from being changed.
                                    + " UNION ALL SELECT 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass::text"
                                    + " FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid IN " + tables
                                    + " AND NOT t.tgisinternal AND t.tgname <> 'staged_jobs_before_insert'"
                                    + " AND t.tgenabled <> 'D' AND t.tgtype & " + ROW + " <> 0 AND t.tgtype & " + BEFORE
                                    + " <> 0 AND t.tgtype & " + (INSERT | DELETE) + " <> 0 ORDER BY 1",
                            jobs,
                            parked,
                            jobs,
                            parked,
                            jobs,
                            parked)
                    .getValues(0, String.class);
            if (!found.isEmpty()) {
                throw new ExternalFailureException(
                        Origin.POSTGRESQL,
                        "cannot move jobs safely: there is " + String.join("; ", found)
                                + ". A row that it hides or keeps would be published again and again, or be lost. Nothing"
                                + " was changed. Remove it; for row-level security, the enqueuer's role may also get"
                                + " BYPASSRLS.",
                        null);
            }
        } catch (DataAccessException e) {
            throw Transactions.outside("look at the tables' triggers, rules and policies", e);
        }
    }

    /** Bits of {@code pg_trigger.tgtype}. */
    private static final int ROW = 1;

    private static final int BEFORE = 2;
    private static final int INSERT = 4;
    private static final int DELETE = 8;
}
