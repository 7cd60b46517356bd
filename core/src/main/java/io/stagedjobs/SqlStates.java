package io.stagedjobs;

import java.sql.SQLException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What the SQLSTATE of a failure means for the unit of work that met it (PostgreSQL, appendix "Error Codes"). */
final class SqlStates {

    private static final Set<String> CONFLICTS = Set.of("40001", "40P01");
    private static final String UNIQUE_VIOLATION = "23505";

    private SqlStates() {}

    /**
     * The SQLSTATE of the failure or of its nearest cause that has one; null if PostgreSQL and its driver gave none.
     */
    static @Nullable String of(Throwable failure) {
        for (Throwable t = failure; t != null; t = t.getCause()) {
            if (t instanceof AttemptsExhaustedException || t instanceof CommitOutcomeUnknownException) {
                return null; // of a unit on another data source, which has decided already
            }
            if (t instanceof SQLException sql && sql.getSQLState() != null) {
                return sql.getSQLState();
            }
        }
        return null;
    }

    /** Whether running the transaction again may help. */
    static boolean isConflict(Throwable failure, boolean uniqueViolationsToo) {
        String state = of(failure);
        return state != null && (CONFLICTS.contains(state) || (uniqueViolationsToo && state.equals(UNIQUE_VIOLATION)));
    }

    /**
     * Whether a failure during COMMIT leaves open what became of it: a connection exception (class 08), a server that
     * shuts down (57P0x), or something that is no answer of PostgreSQL.
     */
    static boolean leavesCommitOpen(Throwable failure) {
        String state = of(failure);
        return state == null || state.startsWith("08") || state.startsWith("57P0");
    }
}
