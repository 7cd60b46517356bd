package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/**
 * Checks for enqueuers that connect under other roles. An enqueuer that is stopped in mid-batch keeps its lane locked
 * until its session is ended, and PostgreSQL allows that only to members of its role and of pg_signal_backend.
 */
public final class SessionEndRights {

    private SessionEndRights() {}

    /**
     * Finds live enqueuers whose sessions this role may not end, or whose role may not end ours. Behind a pooler, which
     * shares sessions, it finds none.
     *
     * @return one line for a person; empty if there are none
     */
    public static Optional<String> warning(Connection connection, Schema schema, Duration takeoverAfter) {
        return Transactions.asked("look for enqueuers under other roles", () -> NamedSql.load(schema, "other-roles")
                .query(DSL.using(connection, SQLDialect.POSTGRES), Map.of("takeover_millis", takeoverAfter.toMillis()))
                .fetchOptional()
                .filter(row -> row.get("others") != null)
                .map(row -> warning(row.get("others", String.class), row.get("this_one", String.class))));
    }

    private static String warning(String others, String thisOne) {
        return "other enqueuers of this database connect as role " + others + ", this one as role " + thisOne
                + ", and not all of them may end each other's sessions: if one is stopped or frozen in the middle of a"
                + " batch, its lanes stay locked until it goes on. Give all enqueuers one role, or GRANT"
                + " pg_signal_backend TO " + others + ", " + thisOne + ".";
    }

    /** A failure to take a lane while sessions of its last owner could not be ended. */
    static ExternalFailureException cannotEnd(Set<String> roles, ExternalFailureException failure) {
        return new ExternalFailureException(
                failure.origin(),
                failure.getMessage() + "; its last owner shows no sign of life and connects as role "
                        + String.join(", ", roles)
                        + ", whose sessions this role may not end: end that process, or GRANT"
                        + " pg_signal_backend, or that role, to this one",
                failure);
    }
}
