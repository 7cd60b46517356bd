package io.stagedjobs.enqueuer.postgres;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.WeakHashMap;
import java.util.stream.Collectors;
import org.postgresql.PGConnection;

/**
 * The settings on which the enqueuer's transactions rely, whatever the role's defaults are. A direct connection sets
 * them for the session at its start. Behind a pooler, which shares sessions, each transaction sets them ({@code SET
 * LOCAL}).
 */
final class SessionSettings {

    /** Every other name is qualified. */
    static final String SEARCH_PATH = "pg_catalog";

    /** Set at the start of a session, by {@link Database#open}: a connection that has it needs no prelude. */
    private static final String PINNED = "staged_jobs.pinned";

    private static final Map<String, String> RELIED_ON = new TreeMap<>(Map.of(
            "synchronous_commit", "on", // a deletion that Kafka relies on must survive a crash
            "lock_timeout", "5s",
            "statement_timeout", "20s",
            // Always the primary key: statistics of an empty table must not decide how a million rows are read.
            "enable_seqscan", "off",
            "enable_bitmapscan", "off",
            "enable_hashjoin", "off",
            "enable_mergejoin", "off",
            "jit", "off"));

    private final String setLocally;

    /** By physical connection, whether its session has the settings; a pooler in between may have dropped them. */
    private final Map<PGConnection, Boolean> pinned = Collections.synchronizedMap(new WeakHashMap<>());

    /**
     * @param publishTimeout how long a batch may wait for Kafka: PostgreSQL ends a transaction of ours that is idle for
     *     much longer, which happens only if the process is stopped
     */
    SessionSettings(Duration publishTimeout) {
        this.setLocally = reliedOn(publishTimeout).entrySet().stream()
                .map(setting -> local(setting.getKey(), setting.getValue()))
                .collect(Collectors.joining());
    }

    private static Map<String, String> reliedOn(Duration publishTimeout) {
        Map<String, String> all = new TreeMap<>(RELIED_ON);
        all.put(
                "idle_in_transaction_session_timeout",
                idleInTransactionMax(publishTimeout).toMillis() + "ms");
        return all;
    }

    /** How long a transaction of ours may be idle: longer than any batch waits for Kafka. */
    static Duration idleInTransactionMax(Duration publishTimeout) {
        return publishTimeout.multipliedBy(3).plusSeconds(10);
    }

    private static String local(String setting, String value) {
        return ", pg_catalog.set_config('" + setting + "', '" + value + "', true)";
    }

    /**
     * The startup options that make these settings for a session. A pooler may refuse them, or silently drop them: the
     * last one shows that.
     */
    static String startupOptions(Duration publishTimeout) {
        return reliedOn(publishTimeout).entrySet().stream()
                        .map(setting -> "-c " + setting.getKey() + "=" + setting.getValue() + " ")
                        .collect(Collectors.joining())
                + "-c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off"
                + " -c search_path=" + SEARCH_PATH + " -c " + PINNED + "=on";
    }

    /** The settings that a transaction on that connection must make, including its name in pg_stat_activity. */
    Prelude prelude(Connection connection, String applicationName) throws SQLException {
        PGConnection session = connection.unwrap(PGConnection.class);
        if (isPinned(session, connection)) {
            return applicationName.equals(session.getParameterStatus("application_name"))
                    ? Prelude.NONE
                    : new Prelude(
                            "SELECT pg_catalog.set_config('application_name', ?, false); ",
                            1,
                            List.of(applicationName));
        }
        // PostgreSQL reports its search_path from release 18 on.
        String searchPath =
                SEARCH_PATH.equals(session.getParameterStatus("search_path")) ? "" : local("search_path", SEARCH_PATH);
        return new Prelude(
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; SELECT"
                        + " pg_catalog.set_config('application_name', ?, true)" + setLocally + searchPath + "; ",
                2,
                List.of(applicationName));
    }

    private boolean isPinned(PGConnection session, Connection connection) throws SQLException {
        Boolean known = pinned.get(session);
        if (known == null) {
            known = isPinned(connection);
            connection.rollback();
            pinned.put(session, known);
        }
        return known;
    }

    /** Whether the session has what {@link #startupOptions} say. */
    static boolean isPinned(Connection connection) throws SQLException {
        try (PreparedStatement statement =
                        connection.prepareStatement("SELECT pg_catalog.current_setting('" + PINNED + "', true)");
                ResultSet answer = statement.executeQuery()) {
            return answer.next() && "on".equals(answer.getString(1));
        }
    }
}
