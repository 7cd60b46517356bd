package io.stagedjobs.enqueuer.postgres;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import com.zaxxer.hikari.SQLExceptionOverride;
import io.micrometer.core.instrument.MeterRegistry;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Origin;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Optional;
import java.util.Properties;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The way to the database. Options in the URL override ours.
 *
 * @param url JDBC URL; it may name several hosts
 * @param password read for each new connection, because it may change while a process runs
 */
public record Database(String url, Optional<String> username, Supplier<Optional<String>> password) {

    /** After this time a silent server counts as gone: longer than any statement_timeout of the enqueuer. */
    private static final Duration SILENCE_MAX = Duration.ofSeconds(30);

    /** A person may move a million jobs with one command. */
    public static final Duration SILENCE_OF_COMMANDS_MAX = Duration.ofMinutes(10);

    private static final String READ_ONLY = "25006";

    /** The SQLSTATE with which a pooler refuses an unknown parameter. */
    private static final String PROTOCOL_VIOLATION = "08P01";

    /**
     * The pool itself drops a connection to a server that went away; this also drops one to a server that became
     * read-only.
     */
    private static final SQLExceptionOverride NOT_WITHOUT_WRITING = new SQLExceptionOverride() {
        @java.lang.Override // the interface has a type of that name
        public Override adjudicate(SQLException e) {
            return READ_ONLY.equals(e.getSQLState()) ? Override.MUST_EVICT : Override.CONTINUE_EVICT;
        }
    };

    /** Matches secret parameters anywhere in the URL: people also write them in the form of other databases. */
    private static final Pattern SECRETS_IN_URL =
            Pattern.compile("(?i)([a-z]*(?:password|passwd|pwd|secret|token)[a-z]*=)([^&;]*)");

    /** A URL with its secrets masked. */
    public static String masked(String url) {
        return SECRETS_IN_URL.matcher(url).replaceAll("$1***");
    }

    /** A message of the driver or the server, without secrets of the URL. */
    private String withoutSecrets(String words) {
        String masked = words;
        Matcher secrets = SECRETS_IN_URL.matcher(url);
        while (secrets.find()) {
            String secret = secrets.group(2);
            masked = secret.isEmpty() ? masked : masked.replace(secret, "***");
        }
        return masked;
    }

    /** The database's name as the URL gives it. */
    public String name() {
        String path = masked(url).replaceFirst("\\?.*", "");
        return path.substring(Math.max(path.lastIndexOf('/'), path.lastIndexOf(':')) + 1);
    }

    /**
     * Opens one connection outside any pool, so that an error is reported at once.
     *
     * @throws ExternalFailureException with the error and what to do
     */
    public Connection connect() {
        return connect(SILENCE_OF_COMMANDS_MAX);
    }

    /** As {@link #connect()}; a server that is silent for this long counts as gone. */
    public Connection connect(Duration silenceMax) {
        try {
            return DriverManager.getConnection(url, properties(silenceMax));
        } catch (SQLException refused) {
            SQLException e = explained(refused);
            String words = withoutSecrets(String.valueOf(e.getMessage()).replaceAll("\\s*\\R\\s*", " "));
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "could not connect to " + masked(url)
                            + username.map(name -> " as " + name).orElse("") + ": "
                            + words + " (SQLSTATE " + e.getSQLState() + "). Nothing was changed. "
                            + advice(String.valueOf(e.getSQLState())),
                    e);
        }
    }

    /**
     * Opens a connection for a pool, with the session settings on which {@link Transactions} rely. A pooler in between
     * may refuse them; then each transaction makes them.
     */
    Connection open(String sessionOptions) throws SQLException {
        Properties properties = properties(SILENCE_MAX);
        Properties pinned = new Properties();
        pinned.putAll(properties);
        pinned.setProperty("options", sessionOptions);
        try {
            return DriverManager.getConnection(url, pinned);
        } catch (SQLException e) {
            if (PROTOCOL_VIOLATION.equals(e.getSQLState())) {
                return DriverManager.getConnection(url, properties);
            }
            throw e;
        }
    }

    /** The driver only says that the server is not a primary: asks the server why. */
    SQLException explained(SQLException e) {
        if (!String.valueOf(e.getMessage()).contains("targetServerType")) {
            return e;
        }
        Properties properties = properties(SILENCE_MAX);
        properties.setProperty("targetServerType", "any");
        try (Connection connection = DriverManager.getConnection(url, properties);
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(
                        "SELECT pg_is_in_recovery(), quote_ident(current_user), quote_ident(current_database())")) {
            row.next();
            return new SQLException(
                    row.getBoolean(1)
                            ? "the server is a standby, which is read-only"
                            : "default_transaction_read_only is on for role " + row.getString(2) + " or database "
                                    + row.getString(3)
                                    + ", so the server is read-only; change that with ALTER ROLE or"
                                    + " ALTER DATABASE … RESET default_transaction_read_only, or in its configuration",
                    READ_ONLY,
                    e);
        } catch (SQLException unanswered) {
            return e;
        }
    }

    private static String advice(String state) {
        return switch (state) {
            case "28000" ->
                "Check the role's name, pg_hba.conf on the server, and sslmode in STAGED_JOBS_DATABASE_URL.";
            case "28P01" -> "Check STAGED_JOBS_DATABASE_USERNAME and STAGED_JOBS_DATABASE_PASSWORD.";
            case "3D000" -> "Check the database's name in STAGED_JOBS_DATABASE_URL.";
            case READ_ONLY -> "Let it write, or name a writable server in STAGED_JOBS_DATABASE_URL.";
            case "53300" ->
                "Free connections or raise max_connections; an enqueuer uses at most two"
                        + " for each lane and five more.";
            default -> "Check STAGED_JOBS_DATABASE_URL, and that PostgreSQL runs and can be reached from here.";
        };
    }

    /**
     * A pool that never fails at its start and keeps retrying while the database is down.
     *
     * @param publishTimeout how long a transaction may wait for Kafka
     */
    public HikariDataSource pool(int connectionsMax, Duration publishTimeout, MeterRegistry registry) {
        HikariConfig config = new HikariConfig();
        config.setPoolName("staged-jobs");
        PrimaryOnlyDataSource connections =
                new PrimaryOnlyDataSource(this, SessionSettings.startupOptions(publishTimeout));
        config.setDataSource(connections);
        config.setExceptionOverride(NOT_WITHOUT_WRITING);
        config.setMaximumPoolSize(connectionsMax);
        config.setMinimumIdle(1);
        config.setConnectionTimeout(5_000);
        config.setInitializationFailTimeout(-1);
        config.setAutoCommit(false);
        config.setMetricRegistry(registry);
        HikariDataSource pool = new HikariDataSource(config);
        connections.whenTimelineChanges(() -> pool.getHikariPoolMXBean().softEvictConnections());
        return pool;
    }

    private Properties properties(Duration socketTimeout) {
        Properties properties = new Properties();
        username.ifPresent(name -> properties.setProperty("user", name));
        password.get().ifPresent(secret -> properties.setProperty("password", secret));
        properties.setProperty("ApplicationName", "staged-jobs");
        properties.setProperty("connectTimeout", "5");
        properties.setProperty("socketTimeout", String.valueOf(socketTimeout.toSeconds()));
        properties.setProperty("tcpKeepAlive", "true");
        // The statements are few and repeated; from the second run of a prepared statement on, values come as bytes and
        // not as text.
        properties.setProperty("prepareThreshold", "1");
        properties.setProperty("targetServerType", "primary");
        // Tries the hosts in any order: otherwise it might only ever try an old primary that came back.
        properties.setProperty("loadBalanceHosts", "true");
        return properties;
    }
}
