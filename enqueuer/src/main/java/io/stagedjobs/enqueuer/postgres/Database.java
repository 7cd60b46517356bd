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
 * How to reach the database. Options in the URL are stronger than ours.
 *
 * @param url JDBC URL; it may name several hosts
 * @param password asked for at each new connection, because it may change while a process runs
 */
public record Database(String url, Optional<String> username, Supplier<Optional<String>> password) {

    /** After that a server that says nothing counts as gone: longer than any statement_timeout of the enqueuer. */
    private static final Duration SILENCE_MAX = Duration.ofSeconds(30);

    /** A person may move a million jobs with one command. */
    public static final Duration SILENCE_OF_COMMANDS_MAX = Duration.ofMinutes(10);

    private static final String READ_ONLY = "25006";

    /** How a pooler refuses a parameter that it does not know. */
    private static final String PROTOCOL_VIOLATION = "08P01";

    /**
     * The pool drops a connection to a server that went away by itself; one that only reads is of no more use to us.
     */
    private static final SQLExceptionOverride NOT_WITHOUT_WRITING = new SQLExceptionOverride() {
        @java.lang.Override // the interface has a type of that name
        public Override adjudicate(SQLException e) {
            return READ_ONLY.equals(e.getSQLState()) ? Override.MUST_EVICT : Override.CONTINUE_EVICT;
        }
    };

    /** Of parameters, wherever they stand: people also write them as other databases want them. */
    private static final Pattern SECRETS_IN_URL =
            Pattern.compile("(?i)([a-z]*(?:password|passwd|pwd|secret|token)[a-z]*=)([^&;]*)");

    /** The URL with its secrets masked. */
    private String urlForPeople() {
        return SECRETS_IN_URL.matcher(url).replaceAll("$1***");
    }

    /** Words of the driver or the server, without what is a secret in the URL. */
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
        String path = urlForPeople().replaceFirst("\\?.*", "");
        return path.substring(Math.max(path.lastIndexOf('/'), path.lastIndexOf(':')) + 1);
    }

    /**
     * Opens one connection outside any pool, so that what is wrong is told at once.
     *
     * @throws ExternalFailureException saying what is wrong and what to do
     */
    public Connection connect() {
        return connect(SILENCE_OF_COMMANDS_MAX);
    }

    /** As {@link #connect()}; a server that says nothing for so long counts as gone. */
    public Connection connect(Duration silenceMax) {
        try {
            return DriverManager.getConnection(url, properties(silenceMax));
        } catch (SQLException refused) {
            SQLException e = explained(refused);
            String words = withoutSecrets(String.valueOf(e.getMessage()).replaceAll("\\s*\\R\\s*", " "));
            throw new ExternalFailureException(
                    Origin.POSTGRESQL,
                    "could not connect to " + urlForPeople()
                            + username.map(name -> " as " + name).orElse("") + ": "
                            + words + " (SQLSTATE " + e.getSQLState() + "). Nothing was changed. "
                            + advice(String.valueOf(e.getSQLState())),
                    e);
        }
    }

    /**
     * Opens a connection for a pool, with what {@link Transactions} rely on set for the session. A pooler between may
     * refuse that; then each transaction sets it.
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

    /** The driver only says of a server that answers that it is no primary: asks it why. */
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
                            ? "the server that answers is a standby, which only reads"
                            : "default_transaction_read_only is on for role " + row.getString(2) + " or database "
                                    + row.getString(3)
                                    + ", so that the server only reads; end that with ALTER ROLE or ALTER"
                                    + " DATABASE … RESET default_transaction_read_only, or in its configuration",
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
            case READ_ONLY -> "Let it write, or name a server in STAGED_JOBS_DATABASE_URL that does.";
            case "53300" ->
                "Free connections or raise max_connections; an enqueuer uses one for each lane and four more.";
            default -> "Check STAGED_JOBS_DATABASE_URL, and that PostgreSQL runs and can be reached from here.";
        };
    }

    /**
     * A pool that never fails at its start and keeps trying while the database is away.
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
        // The statements are few and repeated; from a prepared one's second run on, values come as bytes and not as
        // text.
        properties.setProperty("prepareThreshold", "1");
        properties.setProperty("targetServerType", "primary");
        // The hosts in any order: an old primary that came back must not be all that is ever tried.
        properties.setProperty("loadBalanceHosts", "true");
        return properties;
    }
}
