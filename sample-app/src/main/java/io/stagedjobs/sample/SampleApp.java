package io.stagedjobs.sample;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.javalin.Javalin;
import io.stagedjobs.sample.SampleSettings.InvalidSettingsException;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.SchemaException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.function.Consumer;
import org.jooq.exception.DataAccessException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The running sample: the web service and its consumer, on a database and a Kafka that others started. */
public final class SampleApp implements AutoCloseable {

    /** Few connections: more of them at work at once mean more conflicts between serializable units, not more users. */
    private static final int CONNECTIONS_MAX = 8;

    private static final long CONNECTION_TIMEOUT_MILLIS = 3_000;
    private static final int EXIT_COULD_NOT_START = 1;
    private static final int EXIT_WRONG_SETTINGS = 2;

    private static final Logger LOG = LoggerFactory.getLogger(SampleApp.class);

    private final HikariDataSource pool;
    private final JobPrinter printer;
    private final Javalin server;
    private final SampleSettings settings;

    private SampleApp(HikariDataSource pool, JobPrinter printer, Javalin server, SampleSettings settings) {
        this.pool = pool;
        this.printer = printer;
        this.server = server;
        this.settings = settings;
    }

    /**
     * Runs the sample until SIGTERM or SIGINT; settings come from the environment. Exit codes: 0 stopped by a signal, 1
     * could not start, 2 wrong settings.
     */
    public static void main(String[] args) {
        try {
            SampleApp app = start(SampleSettings.from(System.getenv()), Users.TOPIC, System.out::println);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(app), "sample-stop"));
        } catch (InvalidSettingsException e) {
            fail(e, EXIT_WRONG_SETTINGS);
        } catch (CannotStartException e) {
            fail(e, EXIT_COULD_NOT_START);
        }
    }

    /** A clean stop is not a failure: without this the JVM would report the signal as its exit code. */
    private static void stop(SampleApp app) {
        app.close();
        LOG.info("Stopped.");
        Runtime.getRuntime().halt(0);
    }

    private static void fail(Exception e, int exitCode) {
        System.err.println("sample: " + e.getMessage());
        System.exit(exitCode);
    }

    /**
     * Starts service and consumer.
     *
     * @param arrivals takes a line for each job that the consumer reads
     * @throws CannotStartException if the database does not answer or has no current schema of Staged Jobs, or the port
     *     is taken; nothing is left running. Kafka need not answer: jobs are staged without it.
     */
    static SampleApp start(SampleSettings settings, String topic, Consumer<String> arrivals) {
        HikariDataSource pool = connect(settings);
        try {
            requireSchema(pool);
            Users users = new Users(pool, topic);
            createTables(users);
            Javalin server = listen(new UserApi(users, settings.failuresAllowed()), settings);
            JobPrinter printer = new JobPrinter(settings.kafkaBootstrapServers(), topic, arrivals);
            printer.start();
            SampleApp app = new SampleApp(pool, printer, server, settings);
            LOG.info(
                    "Listening on {}; failures on request are {}.",
                    app.url(),
                    settings.failuresAllowed() ? "allowed" : "ignored");
            return app;
        } catch (RuntimeException e) {
            pool.close();
            throw e;
        }
    }

    String url() {
        return "http://" + settings.httpHost() + ":" + server.port();
    }

    JobPrinter printer() {
        return printer;
    }

    HikariDataSource pool() {
        return pool;
    }

    /** Lets requests end, then the consumer, then the connections. */
    @Override
    public void close() {
        server.stop();
        printer.close();
        pool.close();
    }

    private static HikariDataSource connect(SampleSettings settings) {
        HikariConfig config = new HikariConfig();
        config.setPoolName("sample");
        config.setJdbcUrl(settings.databaseUrl());
        config.setUsername(settings.databaseUsername());
        config.setPassword(settings.databasePassword());
        config.setMaximumPoolSize(CONNECTIONS_MAX);
        config.setConnectionTimeout(CONNECTION_TIMEOUT_MILLIS);
        // The first look at the schema reports a database that is away better than the pool's own start would.
        config.setInitializationFailTimeout(-1);
        return new HikariDataSource(config);
    }

    private static String cause(Exception e) {
        return String.valueOf(
                e.getCause() == null ? e.getMessage() : e.getCause().getMessage());
    }

    private static void requireSchema(HikariDataSource pool) {
        try (Connection connection = pool.getConnection()) {
            Schema.PUBLIC.requireCurrent(connection);
        } catch (SchemaException e) {
            throw new CannotStartException(e.getMessage() + " Then start the sample again.", e);
        } catch (DataAccessException e) {
            throw new CannotStartException(
                    "could not look at the version of Staged Jobs' tables: " + cause(e)
                            + ". Nothing was started. GRANT SELECT ON staged_jobs_schema to the sample's role.",
                    e);
        } catch (SQLException e) {
            throw new CannotStartException(
                    "could not connect to PostgreSQL with " + SampleSettings.DATABASE_URL + " and "
                            + SampleSettings.DATABASE_USERNAME + ": " + cause(e)
                            + ". Nothing was started. Check the three SAMPLE_DATABASE settings and that the server runs.",
                    e);
        }
    }

    private static void createTables(Users users) {
        try {
            users.createTables();
        } catch (DataAccessException e) {
            throw new CannotStartException(
                    "could not create the tables users and user_actions: " + cause(e)
                            + ". Nothing was started. Let a role that may create tables run schema.sql.",
                    e);
        }
    }

    private static Javalin listen(UserApi api, SampleSettings settings) {
        try {
            return api.server().start(settings.httpHost(), settings.httpPort());
        } catch (RuntimeException e) {
            throw new CannotStartException(
                    "could not listen on " + settings.httpHost() + ":" + settings.httpPort() + ": " + cause(e)
                            + ". Nothing was started. Choose another " + SampleSettings.HTTP_PORT + " or "
                            + SampleSettings.HTTP_HOST + ".",
                    e);
        }
    }

    /** The surroundings are not as the sample needs them; the message says what to do. */
    static final class CannotStartException extends RuntimeException {
        CannotStartException(String message, Throwable cause) {
            super(message, cause);
        }
    }
}
