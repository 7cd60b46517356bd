package io.stagedjobs.schema;

import java.util.List;
import java.util.function.Consumer;
import org.jooq.DSLContext;
import org.jooq.exception.DataAccessException;

/** Locks out writers of jobs during a change; {@link Schema#withoutWriters} states the promise. */
final class WriterLock {

    private static final int TRIES_MAX = 20;
    private static final String LOCK_NOT_AVAILABLE = "55P03";

    private final Schema schema;
    private final List<String> alone;

    /** @param alone tables that nobody else may even read meanwhile */
    WriterLock(Schema schema, List<String> alone) {
        this.schema = schema;
        this.alone = alone;
    }

    void run(DSLContext dsl, Consumer<String> waiting, Consumer<DSLContext> change) {
        String logged = "";
        for (int tries = 1; ; tries++) {
            try {
                dsl.transaction(transaction -> {
                    // Longer than deadlock_timeout, after which an autovacuum yields.
                    transaction.dsl().execute("SET LOCAL lock_timeout = '2s'");
                    for (String table : alone) {
                        transaction
                                .dsl()
                                .execute("LOCK TABLE " + schema.qualified(table) + " IN ACCESS EXCLUSIVE MODE");
                    }
                    transaction
                            .dsl()
                            .execute("LOCK TABLE " + schema.qualified("staged_jobs") + " IN SHARE ROW EXCLUSIVE MODE");
                    change.accept(transaction.dsl());
                });
                return;
            } catch (DataAccessException e) {
                if (!LOCK_NOT_AVAILABLE.equals(e.sqlState())) {
                    throw e;
                }
                String holders = holders(dsl);
                if (tries == TRIES_MAX) {
                    throw new SchemaException("could not lock " + String.join(", ", alone)
                            + (alone.isEmpty() ? "" : " and ") + "staged_jobs in " + TRIES_MAX + " tries: " + holders
                            + ". Nothing was changed. End these transactions, then try again.");
                }
                if (!holders.equals(logged)) {
                    waiting.accept("waiting for "
                            + (alone.isEmpty() ? "table " : "tables " + String.join(", ", alone) + " and ")
                            + "staged_jobs: " + holders);
                    logged = holders;
                }
            }
        }
    }

    /** Describes the sessions that write to the table, use the others or lock one of them. */
    private String holders(DSLContext dsl) {
        List<String> holders = dsl.fetch(
                        "SELECT DISTINCT coalesce('process ' || l.pid || ' (' || coalesce(a.usename, '?') || ', \"'"
                                + " || coalesce(left(regexp_replace(a.application_name, '[^ -~]', '?', 'g'), 60), '')"
                                + " || '\", ' || coalesce(a.state, '?') || coalesce(', transaction open for '"
                                + " || extract(epoch FROM clock_timestamp() - a.xact_start)::bigint || ' s', '') ||"
                                + " ')', 'a prepared transaction, see pg_prepared_xacts')"
                                + " FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid ="
                                + " l.pid WHERE l.granted AND (l.relation = ANY (?::regclass[]) OR l.relation ="
                                + " to_regclass(?) AND l.mode IN ('RowExclusiveLock',"
                                + " 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',"
                                + " 'AccessExclusiveLock')) AND l.pid IS DISTINCT FROM pg_backend_pid() AND l.database"
                                + " = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
                                + " LIMIT 5",
                        alone.stream().map(schema::qualified).toArray(String[]::new),
                        schema.qualified("staged_jobs"))
                .getValues(0, String.class);
        return holders.isEmpty() ? "the session that locked it has ended" : String.join("; ", holders);
    }
}
