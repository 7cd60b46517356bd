package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.util.List;
import java.util.Map;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/**
 * Finds triggers, rules and policies that could make a DELETE of published jobs, or an INSERT of moved ones, silently
 * skip rows: jobs would be published for ever, or be lost.
 */
public final class TableChecks {

    private TableChecks() {}

    /** @throws ExternalFailureException that names all of them and says what to do */
    public static void requireNothingInTheWay(Connection connection, Schema schema) {
        List<String> found = Transactions.asked(
                "check the tables' triggers, rules and policies", () -> NamedSql.load(schema, "table-checks")
                        .query(DSL.using(connection, SQLDialect.POSTGRES), Map.of())
                        .fetch("found", String.class));
        if (!found.isEmpty()) {
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "cannot move jobs safely: there is " + String.join("; ", found)
                            + ". A row that it hides or keeps would be published again and again, or be lost. Nothing"
                            + " was changed. Remove it; for row-level security, the enqueuer's role may also get"
                            + " BYPASSRLS.",
                    null);
        }
    }
}
