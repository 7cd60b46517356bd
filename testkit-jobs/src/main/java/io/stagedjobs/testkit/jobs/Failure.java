package io.stagedjobs.testkit.jobs;

import io.stagedjobs.schema.Schema;
import java.util.regex.Pattern;
import javax.sql.DataSource;

/**
 * A failure that a test wants: the next staging fails, or the next commit that staged jobs; once, or as often as {@link
 * #times} says. It is not bound to a thread or a connection: it hits the next staging, however that happens. Immutable.
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

    /** When it happens, and the trigger that causes it. */
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

    /** The staging statement fails. A unit of work stages after its block, just before the commit. */
    public static Failure whenStaging() {
        return new Failure(When.STAGING, RAISED, 1, Schema.PUBLIC);
    }

    /** Staging works, and the COMMIT of its transaction fails: everything in it is rolled back. */
    public static Failure atCommit() {
        return new Failure(When.COMMIT, RAISED, 1, Schema.PUBLIC);
    }

    /** Fails as a conflict with another transaction (SQLSTATE 40001), after which a unit of work retries. */
    public Failure asConflict() {
        return withSqlState(CONFLICT);
    }

    /**
     * Fails with this SQLSTATE instead of {@value #RAISED}.
     *
     * @throws IllegalArgumentException if it does not denote a failure
     */
    public Failure withSqlState(String sqlState) {
        if (!SQL_STATE.matcher(sqlState).matches()) {
            throw new IllegalArgumentException(
                    "the SQLSTATE of a failure has five characters of 0-9 and A-Z and does not"
                            + " begin with 00, not \"" + sqlState + "\"");
        }
        return new Failure(when, sqlState, times, schema);
    }

    /** Fails this many times in a row, at least 1; the next staging works. */
    public Failure times(int times) {
        if (times < 1) {
            throw new IllegalArgumentException("times must be at least 1, not " + times);
        }
        return new Failure(when, sqlState, times, schema);
    }

    /** Uses the tables in this schema instead of {@code public}. */
    public Failure inSchema(Schema schema) {
        return new Failure(when, sqlState, times, schema);
    }

    /**
     * Arms it, by a trigger on {@code staged_jobs}, until the result is closed.
     *
     * <p><b>Transaction</b>: one of its own, which waits up to 10 s for open transactions that have staged.
     *
     * @param dataSource its role must own the table and may create objects in its schema; roles that stage need no
     *     further rights
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
