package io.stagedjobs.sample;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.javalin.Javalin;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.stagedjobs.MicrometerUnitListener;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.WakeUp;
import io.stagedjobs.idempotency.IdempotencyKeys;
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
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;

/** The running sample: the web service and its consumers, on an existing database and Kafka. */
public final class SampleApp implements AutoCloseable {

    /** Few connections: more concurrent serializable units mean more conflicts, not more users. */
    private static final int CONNECTIONS_MAX = 8;

    private static final long CONNECTION_TIMEOUT_MILLIS = 3_000;

    /** For each of the two answers that make a contract. */
    private static final Duration CONTRACTS_TIMEOUT = Duration.ofSeconds(2);

    /** Between a failed aggregation and the next try. */
    private static final Duration RETRY_DELAY = Duration.ofSeconds(10);

    /** How long a client may repeat a request with an idempotency key. */
    private static final Duration KEYS_KEPT = Duration.ofDays(1);

    private static final Logger LOG = LoggerFactory.getLogger(SampleApp.class);

    private final String url;

    /** The running parts, the newest first: they are stopped in this order. */
    private final Deque<Runnable> running;

    private SampleApp(String url, Deque<Runnable> running) {
        this.url = url;
        this.running = running;
    }

    /**
     * Runs the sample until SIGTERM or SIGINT. Exit codes: 0 stopped by a signal, 1 could not start, 2 wrong settings.
     */
    public static void main(String[] args) {
        SampleSettings settings = new SampleSettings();
        CommandLine command = new CommandLine(settings);
        int exitCode = command.setExecutionStrategy(parsed -> {
                    Integer helped = CommandLine.executeHelpRequest(parsed);
                    return helped == null ? run(settings) : helped;
                })
                .execute(args);
        if (exitCode != ExitCode.OK) {
            System.exit(exitCode);
        }
    }

    private static int run(SampleSettings settings) {
        try {
            SampleApp app = start(settings, Topics.DEFAULT, job -> System.out.println(job.line()), List.of());
            Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(app), "sample-stop"));
            return ExitCode.OK;
        } catch (CannotStartException e) {
            System.err.println("sample: " + e.getMessage());
            return ExitCode.SOFTWARE;
        }
    }

    /** Ends with 0 after a clean stop: otherwise the JVM would report the signal as its exit code. */
    private static void stop(SampleApp app) {
        app.close();
        LOG.info("Stopped.");
        Runtime.getRuntime().halt(0);
    }

    /**
     * Starts service and consumers.
     *
     * @param arrivals receives each job that arrives in Kafka, in a thread of its own
     * @param more further endpoints of the service
     * @throws CannotStartException if the database does not answer or has no current schema of Staged Jobs, or the port
     *     is in use; nothing is left running. Kafka need not answer: the sample stages jobs without it.
     */
    public static SampleApp start(
            SampleSettings settings, Topics topics, Consumer<PublishedJob> arrivals, List<Route> more) {
        Deque<Runnable> running = new ArrayDeque<>();
        try {
            return start(settings, topics, arrivals, more, running);
        } catch (RuntimeException e) {
            running.forEach(Runnable::run);
            throw e;
        }
    }

    /** The one place where everything is put together. */
    private static SampleApp start(
            SampleSettings settings,
            Topics topics,
            Consumer<PublishedJob> arrivals,
            List<Route> more,
            Deque<Runnable> running) {
        HikariDataSource pool = connect(settings);
        running.push(pool::close);
        requireSchema(pool);
        createTables(pool);

        WakeUp wakeUp = WakeUp.on(pool);
        running.push(wakeUp::close);
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        UnitOfWork unit = Units.on(pool).waking(wakeUp).listening(new MicrometerUnitListener(registry));
        ContractSource source = new ContractSource(contractsUrl(settings, running), CONTRACTS_TIMEOUT);
        Services services = Services.on(pool, unit, source, topics);
        forgetOldKeysHourly(services.keys(), running);

        Javalin server = listen(new Api(services, registry, settings.failuresAllowed).server(more), settings);
        running.push(server::stop);

        String kafka = settings.kafkaBootstrapServers;
        Consumer<PublishedJob> aggregate = services.aggregations()::run;
        read(kafka, topics.group("sample-printer"), topics.all(), Duration.ZERO, arrivals, running);
        read(
                kafka,
                topics.group("sample-aggregator"),
                Set.of(topics.aggregations()),
                Duration.ZERO,
                aggregate,
                running);
        read(kafka, topics.group("sample-retries"), Set.of(topics.retries()), RETRY_DELAY, aggregate, running);

        String url = "http://" + settings.httpHost + ":" + server.port();
        LOG.info("Listening on {}; failures on request are {}.", url, settings.failuresAllowed ? "allowed" : "ignored");
        return new SampleApp(url, running);
    }

    private static void read(
            String kafka,
            String group,
            Set<String> topics,
            Duration delay,
            Consumer<PublishedJob> handler,
            Deque<Runnable> running) {
        JobReader reader = new JobReader(kafka, group, topics, delay, handler);
        reader.start();
        running.push(reader::close);
    }

    public String url() {
        return url;
    }

    /** Ends the consumers, then requests, then the connections. */
    @Override
    public void close() {
        running.forEach(Runnable::run);
    }

    @SuppressWarnings("FutureReturnValueIgnored") // the run itself reports a failure
    private static void forgetOldKeysHourly(IdempotencyKeys keys, Deque<Runnable> running) {
        ScheduledExecutorService hourly = Executors.newSingleThreadScheduledExecutor();
        running.push(hourly::shutdownNow);
        hourly.scheduleWithFixedDelay(() -> prune(keys), 0, 1, TimeUnit.HOURS);
    }

    private static void prune(IdempotencyKeys keys) {
        try {
            keys.prune(KEYS_KEPT);
        } catch (RuntimeException e) {
            LOG.warn("Could not delete old idempotency keys; the next attempt is in an hour.", e);
        }
    }

    private static URI contractsUrl(SampleSettings settings, Deque<Runnable> running) {
        if (settings.contractsUrl != null) {
            return URI.create(settings.contractsUrl);
        }
        ContractService service = new ContractService(0, call -> {});
        running.push(service::close);
        LOG.info("A service that has contracts listens on {}; --contracts-url names another.", service.url());
        return URI.create(service.url());
    }

    private static HikariDataSource connect(SampleSettings settings) {
        HikariConfig config = new HikariConfig();
        config.setPoolName("sample");
        config.setJdbcUrl(settings.databaseUrl);
        config.setUsername(settings.databaseUsername);
        config.setPassword(settings.databasePassword);
        config.setMaximumPoolSize(CONNECTIONS_MAX);
        config.setConnectionTimeout(CONNECTION_TIMEOUT_MILLIS);
        // The schema check below reports an unreachable database better than the pool's own start would.
        config.setInitializationFailTimeout(-1);
        return new HikariDataSource(config);
    }

    private static void requireSchema(HikariDataSource pool) {
        try (Connection connection = pool.getConnection()) {
            Schema.PUBLIC.requireCurrent(connection);
        } catch (SchemaException e) {
            throw new CannotStartException(e.getMessage() + " Then start the sample again.", e);
        } catch (DataAccessException e) {
            throw cannot(
                    "look at the version of Staged Jobs' tables",
                    e,
                    "GRANT SELECT ON staged_jobs_schema to the sample's role.");
        } catch (SQLException e) {
            throw cannot(
                    "connect to PostgreSQL with SAMPLE_DATABASE_URL and SAMPLE_DATABASE_USERNAME",
                    e,
                    "Check the three SAMPLE_DATABASE settings and that the server runs.");
        }
    }

    private static void createTables(HikariDataSource pool) {
        try {
            Tables.create(pool);
        } catch (DataAccessException e) {
            throw cannot("create the sample's tables", e, "Let a role that may create tables run schema.sql.");
        }
    }

    private static Javalin listen(Javalin server, SampleSettings settings) {
        try {
            return server.start(settings.httpHost, settings.httpPort);
        } catch (RuntimeException e) {
            throw cannot(
                    "listen on " + settings.httpHost + ":" + settings.httpPort,
                    e,
                    "Choose another SAMPLE_HTTP_PORT or SAMPLE_HTTP_HOST.");
        }
    }

    private static CannotStartException cannot(String what, Exception e, String advice) {
        String cause = String.valueOf(
                e.getCause() == null ? e.getMessage() : e.getCause().getMessage());
        return new CannotStartException("could not " + what + ": " + cause + ". Nothing was started. " + advice, e);
    }

    /** The sample's environment is not suitable; the message says what to do. */
    static final class CannotStartException extends RuntimeException {
        CannotStartException(String message, Throwable cause) {
            super(message, cause);
        }
    }
}
