package io.stagedjobs.testkit.jobs;

import io.stagedjobs.schema.Schema;
import java.util.regex.Pattern;
import javax.sql.DataSource;

/**
 * A failure that a test wants: the next staging fails, or the next commit that staged jobs; once, unless {@link #times}
 * says more. It is not bound to a thread or a connection: whoever stages next, in whatever way, meets it. Immutable.
 *
 * <pre>{@code
 * try (ArmedFailure armed = Failure.atCommit().arm(dataSource)) {
 *     assertThatThrownBy(() -> users.create("ann"));
 * }
 * }</pre>
 */
public final class Failure {

    private static final String RAISED = "P0001";
    private static final String CONFLICT = "40001";
    private static final Pattern SQL_STATE = Pattern.compile("(?!00)[0-9A-Z]{5}");

    /** When it happens, and the trigger that sees to it. */
    enum When {
        STAGING("TRIGGER %s BEFORE INSERT ON %s FOR EACH STATEMENT"),
        COMMIT("CONSTRAINT TRIGGER %s AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW");

        private final String trigger;

        When(String trigger) {
            this.trigger = trigger;
        }

        String createTrigger(String name, String table, String function) {
            return "CREATE " + trigger.formatted(name, table) + " EXECUTE FUNCTION " + function + "()";
        }
    }

    private final When when;
    private final String sqlState;
    private final int times;
    private final Schema schema;

    private Failure(When when, String sqlState, int times, Schema schema) {
        this.when = when;
        this.sqlState = sqlState;
        this.times = times;
        this.schema = schema;
    }

    /** The statement that stages fails. For a unit of work that is after its block, just before the commit. */
    public static Failure whenStaging() {
        return new Failure(When.STAGING, RAISED, 1, Schema.PUBLIC);
    }

    /** Staging works, and the COMMIT of its transaction fails: everything in it is rolled back. */
    public static Failure atCommit() {
        return new Failure(When.COMMIT, RAISED, 1, Schema.PUBLIC);
    }

    /** As a conflict with another transaction (SQLSTATE 40001), which a unit of work answers by another attempt. */
    public Failure asConflict() {
        return withSqlState(CONFLICT);
    }

    /**
     * With that SQLSTATE instead of {@value #RAISED}.
     *
     * @throws IllegalArgumentException if it is not one of a failure
     */
    public Failure withSqlState(String sqlState) {
        if (!SQL_STATE.matcher(sqlState).matches()) {
            throw new IllegalArgumentException(
                    "the SQLSTATE of a failure has five characters of 0-9 and A-Z and does not"
                            + " begin with 00, not \"" + sqlState + "\"");
        }
        return new Failure(when, sqlState, times, schema);
    }

    /** So many times in a row, at least 1; the next one works. */
    public Failure times(int times) {
        if (times < 1) {
            throw new IllegalArgumentException("times must be at least 1, not " + times);
        }
        return new Failure(when, sqlState, times, schema);
    }

    /** Of the tables in that schema instead of {@code public}. */
    public Failure inSchema(Schema schema) {
        return new Failure(when, sqlState, times, schema);
    }

    /**
     * Arms it, by a trigger on {@code staged_jobs}, until the answer is closed.
     *
     * <p><b>Transaction</b>: one of its own, which waits up to 10 s for transactions that have staged and are still
     * open.
     *
     * @param dataSource whose role owns the table and may create objects in its schema; those who stage need no further
     *     rights
     * @throws org.jooq.exception.DataAccessException if the database refuses; nothing is armed
     */
    public ArmedFailure arm(DataSource dataSource) {
        return new ArmedFailure(dataSource, this);
    }

    When when() {
        return when;
    }

    String sqlState() {
        return sqlState;
    }

    int times() {
        return times;
    }

    Schema schema() {
        return schema;
    }
}
