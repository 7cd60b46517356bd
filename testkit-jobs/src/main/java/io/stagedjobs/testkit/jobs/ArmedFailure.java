package io.stagedjobs.testkit.jobs;

import java.util.Locale;
import java.util.UUID;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/**
 * A failure that waits for whoever stages next. Closing disarms it; it disarms itself when it has happened as often as
 * was wanted. What a test leaves behind that is killed meanwhile therefore does no lasting harm.
 *
 * <p>All methods may be called from any thread, each uses a connection of its own for a moment.
 */
public final class ArmedFailure implements AutoCloseable {

    private static final String LOCK_TIMEOUT = "SET LOCAL lock_timeout = '10s'";

    private final DSLContext dsl;
    private final int times;
    private final String trigger;
    private final String table;
    private final String function;

    /** Counts, whatever is rolled back: what a sequence has given out it does not take back. */
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
            // As its owner: those who stage have no rights on the sequence.
            own.execute("CREATE FUNCTION " + function + "() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
                    + " SET search_path = pg_catalog AS " + literal(body));
            own.execute(failure.when().createTrigger(trigger, table, function));
        });
    }

    /** How often it has happened, to be asked before it is closed. */
    public int happened() {
        return dsl.fetchSingle(
                        "SELECT CASE WHEN is_called THEN least(last_value, ?) ELSE 0 END FROM " + sequence, times)
                .get(0, int.class);
    }

    /**
     * Disarms it and removes what it needed from the database. That waits up to 10 s for transactions that have touched
     * the table and are still open.
     *
     * @throws IllegalStateException if they stay open; it is disarmed all the same, and removed by nobody
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
                            + ". It is disarmed and does no harm. End the transactions that have staged jobs before the"
                            + " failure is closed.",
                    e);
        }
    }

    private static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }
}
