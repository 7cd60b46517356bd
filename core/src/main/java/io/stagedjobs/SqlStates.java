package io.stagedjobs;

import java.sql.SQLException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What the SQLSTATE of a failure means for its unit of work (PostgreSQL, appendix "Error Codes"). */
final class SqlStates {

    private static final Set<String> CONFLICTS = Set.of("40001", "40P01");
    private static final String UNIQUE_VIOLATION = "23505";

    private SqlStates() {}

    /** The SQLSTATE of the failure or of its nearest cause with one; null if PostgreSQL and its driver gave none. */
    static @Nullable String of(Throwable failure) {
        for (Throwable t = failure; t != null; t = t.getCause()) {
            if (t instanceof AttemptsExhaustedException || t instanceof CommitOutcomeUnknownException) {
                return null; // of a unit on another data source, already decided
            }
            if (t instanceof SQLException sql && sql.getSQLState() != null) {
                return sql.getSQLState();
            }
        }
        return null;
    }

    /** Whether a retry of the transaction may help. */
    static boolean isConflict(Throwable failure, boolean uniqueViolationsToo) {
        String state = of(failure);
        return state != null && (CONFLICTS.contains(state) || (uniqueViolationsToo && state.equals(UNIQUE_VIOLATION)));
    }

    /**
     * Whether the outcome of COMMIT is unknown after this failure: a connection exception (class 08), a server that
     * shuts down (57P0x), or a failure that did not come from PostgreSQL.
     */
    static boolean leavesCommitOpen(Throwable failure) {
        String state = of(failure);
        return state == null || state.startsWith("08") || state.startsWith("57P0");
    }
}
