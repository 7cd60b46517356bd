package io.stagedjobs.testkit.jobs;

import java.util.Locale;
import java.util.UUID;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/**
 * A failure that waits for the next staging. Closing disarms it; it also disarms itself after the wanted number of
 * failures. So a test that is killed meanwhile does no lasting harm.
 *
 * <p>Thread-safe; each method uses a connection of its own for a moment.
 */
public final class ArmedFailure implements AutoCloseable {

    private static final String LOCK_TIMEOUT = "SET LOCAL lock_timeout = '10s'";

    private final DSLContext dsl;
    private final int times;
    private final String trigger;
    private final String table;
    private final String function;

    /** Counts even failures that are rolled back, since a rollback does not reset a sequence. */
    private final String sequence;

    ArmedFailure(DataSource dataSource, Failure failure) {
        this.dsl = DSL.using(dataSource, SQLDialect.POSTGRES);
        this.times = failure.times();
        this.trigger = "staged_jobs_failure_" + UUID.randomUUID().toString().replace("-", "");
        this.table = failure.schema().qualified("staged_jobs");
        this.function = failure.schema().qualified(trigger);
        this.sequence = failure.schema().qualified(trigger + "_count");
        String body = "BEGIN IF pg_catalog.nextval(" + literal(sequence) + ") <= " + times
                + " THEN RAISE SQLSTATE " + literal(failure.sqlState()) + " USING MESSAGE = "
                + literal("a test has this " + failure.when().toString().toLowerCase(Locale.ROOT) + " fail")
                + "; END IF; RETURN NULL; END";
        dsl.transaction(transaction -> {
            DSLContext own = transaction.dsl();
            own.execute(LOCK_TIMEOUT);
            own.execute("CREATE SEQUENCE " + sequence);
            // As its owner: roles that stage have no rights on the sequence.
            own.execute("CREATE FUNCTION " + function + "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
                    + " SET search_path = pg_catalog AS " + literal(body));
            own.execute(failure.when().createTrigger(trigger, table, function));
        });
    }

    /** How often it has happened. Call this before closing it. */
    public int happened() {
        return dsl.fetchSingle(
                        "SELECT CASE WHEN is_called THEN least(last_value, ?) ELSE 0 END FROM " + sequence, times)
                .get(0, int.class);
    }

    /**
     * Disarms it and removes its objects from the database. This waits up to 10 s for open transactions that have
     * touched the table.
     *
     * @throws IllegalStateException if they stay open; then it is disarmed, but its objects remain
     */
    @Override
    public void close() {
        dsl.fetch("SELECT setval(CAST(? AS regclass), greatest(last_value, ?)) FROM " + sequence, sequence, times);
        try {
            dsl.transaction(transaction -> {
                DSLContext own = transaction.dsl();
                own.execute(LOCK_TIMEOUT);
                own.execute("DROP TRIGGER " + trigger + " ON " + table);
                own.execute("DROP FUNCTION " + function);
                own.execute("DROP SEQUENCE " + sequence);
            });
        } catch (DataAccessException e) {
            throw new IllegalStateException(
                    "could not remove trigger " + trigger + " from " + table + ": " + e.getMessage()
                            + ". It is disarmed and does no harm. End the transactions that staged jobs"
                            + " before you close the failure.",
                    e);
        }
    }

    private static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }
}
