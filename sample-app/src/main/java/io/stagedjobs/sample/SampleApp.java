package io.stagedjobs.sample;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.javalin.Javalin;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.idempotency.IdempotencyKeys;
import io.stagedjobs.MicrometerUnitListener;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.WakeUp;
import io.stagedjobs.sample.SampleSettings.InvalidSettingsException;
import io.stagedjobs.sample.upstream.ContractService;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.SchemaException;
import java.net.URI;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jooq.exception.DataAccessException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The running sample: the web service and its consumers, on a database and a Kafka that others started. */
public final class SampleApp implements AutoCloseable {

    /** Few connections: more of them at work at once mean more conflicts between serializable units, not more users. */
    private static final int CONNECTIONS_MAX = 8;

    private static final long CONNECTION_TIMEOUT_MILLIS = 3_000;

    /** For each of the two answers that make a contract. */
    private static final Duration CONTRACTS_TIMEOUT = Duration.ofSeconds(2);

    /** Between a failed aggregation and the next try. */
    private static final Duration RETRY_DELAY = Duration.ofSeconds(10);

    /** For so long a client may send a request with an idempotency key again. */
    private static final Duration KEYS_KEPT = Duration.ofDays(1);

    private static final int EXIT_COULD_NOT_START = 1;
    private static final int EXIT_WRONG_SETTINGS = 2;

    private static final Logger LOG = LoggerFactory.getLogger(SampleApp.class);

    private final HikariDataSource pool;
    private final JobReader printer;
    private final Javalin server;
    private final SampleSettings settings;

    /** What runs, the newest first: the order in which it is stopped. */
    private final Deque<Runnable> running;

    private SampleApp(
            HikariDataSource pool,
            JobReader printer,
            Javalin server,
            SampleSettings settings,
            Deque<Runnable> running) {
        this.pool = pool;
        this.printer = printer;
        this.server = server;
        this.settings = settings;
        this.running = running;
    }

    /**
     * Runs the sample until SIGTERM or SIGINT; settings come from the environment. Exit codes: 0 stopped by a signal, 1
     * could not start, 2 wrong settings.
     */
    public static void main(String[] args) {
        try {
            SampleApp app = start(SampleSettings.from(System.getenv()), Topics.DEFAULT, System.out::println);
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
     * Starts service and consumers.
     *
     * @param arrivals takes a line for each job that the printing consumer reads
     * @throws CannotStartException if the database does not answer or has no current schema of Staged Jobs, or the port
     *     is taken; nothing is left running. Kafka need not answer: jobs are staged without it.
     */
    static SampleApp start(SampleSettings settings, Topics topics, Consumer<String> arrivals) {
        Deque<Runnable> running = new ArrayDeque<>();
        try {
            SampleApp app = start(settings, topics, arrivals, running);
            LOG.info(
                    "Listening on {}; failures on request are {}.",
                    app.url(),
                    settings.failuresAllowed() ? "allowed" : "ignored");
            return app;
        } catch (RuntimeException e) {
            running.forEach(Runnable::run);
            throw e;
        }
    }

    /** The one place where everything is put together. */
    private static SampleApp start(
            SampleSettings settings, Topics topics, Consumer<String> arrivals, Deque<Runnable> running) {
        HikariDataSource pool = connect(settings);
        running.push(pool::close);
        requireSchema(pool);
        createTables(pool);

        WakeUp wakeUp = WakeUp.on(pool);
        running.push(wakeUp::close);
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        UnitOfWork unit = Units.on(pool).waking(wakeUp).listening(new MicrometerUnitListener(registry));

        Users users = new Users(pool, unit, topics);
        Orders orders = new Orders(pool, unit, users, topics);
        IdempotencyKeys keys = IdempotencyKeys.on(unit.named("complete-order"));
        forgetOldKeysHourly(keys, running);
        ContractSource source = new ContractSource(contractsUrl(settings, running), CONTRACTS_TIMEOUT);
        Contracts contracts = new Contracts(pool, unit, source, topics);
        Aggregations aggregations = new Aggregations(contracts, unit, topics);

        String kafka = settings.kafkaBootstrapServers();
        List<Api> apis = List.of(
                new UserApi(users, settings.failuresAllowed()),
                new OrderApi(orders, keys),
                new ContractApi(contracts, aggregations),
                new AuditApi(new Auditor(pool, kafka, topics.users())));
        Javalin server = listen(SampleServer.of(registry, apis), settings);
        running.push(server::stop);

        JobReader printer =
                new JobReader(kafka, topics.group("sample-printer"), topics.all(), new JobPrinter(arrivals));
        List<JobReader> readers = List.of(
                printer,
                new JobReader(
                        kafka, topics.group("sample-aggregator"), Set.of(topics.aggregations()), aggregations::run),
                new JobReader(
                        kafka,
                        topics.group("sample-retries"),
                        Set.of(topics.retries()),
                        RETRY_DELAY,
                        aggregations::run));
        for (JobReader reader : readers) {
            reader.start();
            running.push(reader::close);
        }
        return new SampleApp(pool, printer, server, settings, running);
    }

    String url() {
        return "http://" + settings.httpHost() + ":" + server.port();
    }

    JobReader printer() {
        return printer;
    }

    HikariDataSource pool() {
        return pool;
    }

    /** Lets the consumers end, then requests, then the connections. */
    @Override
    public void close() {
        running.forEach(Runnable::run);
    }

    @SuppressWarnings("FutureReturnValueIgnored") // a run that fails is told where it fails
    private static void forgetOldKeysHourly(IdempotencyKeys keys, Deque<Runnable> running) {
        ScheduledExecutorService hourly = Executors.newSingleThreadScheduledExecutor();
        running.push(hourly::shutdownNow);
        hourly.scheduleWithFixedDelay(() -> prune(keys), 0, 1, TimeUnit.HOURS);
    }

    private static void prune(IdempotencyKeys keys) {
        try {
            keys.prune(KEYS_KEPT);
        } catch (RuntimeException e) {
            LOG.warn("Could not forget old idempotency keys; the next try is in an hour.", e);
        }
    }

    private static URI contractsUrl(SampleSettings settings, Deque<Runnable> running) {
        if (settings.contractsUrl() != null) {
            return URI.create(settings.contractsUrl());
        }
        ContractService service = new ContractService(0, call -> {});
        running.push(service::close);
        LOG.info(
                "A service that has contracts listens on {}; {} names another.",
                service.url(),
                SampleSettings.CONTRACTS_URL);
        return URI.create(service.url());
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

    private static void createTables(HikariDataSource pool) {
        try {
            Tables.create(pool);
        } catch (DataAccessException e) {
            throw new CannotStartException(
                    "could not create the sample's tables: " + cause(e)
                            + ". Nothing was started. Let a role that may create tables run schema.sql.",
                    e);
        }
    }

    private static Javalin listen(Javalin server, SampleSettings settings) {
        try {
            return server.start(settings.httpHost(), settings.httpPort());
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
