package io.stagedjobs.enqueuer.assembly;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.MeterRegistry;
import io.stagedjobs.enqueuer.BatchLimits;
import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.enqueuer.Enqueuer;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.Origin;
import io.stagedjobs.enqueuer.Publisher;
import io.stagedjobs.enqueuer.kafka.AtLeastOncePublisher;
import io.stagedjobs.enqueuer.kafka.ExactlyOncePublisher;
import io.stagedjobs.enqueuer.kafka.KafkaClientSettings;
import io.stagedjobs.enqueuer.kafka.KafkaProperties;
import io.stagedjobs.enqueuer.postgres.Database;
import io.stagedjobs.enqueuer.postgres.DatabaseIdentity;
import io.stagedjobs.enqueuer.postgres.LockWatch;
import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.enqueuer.postgres.PostgresMembership;
import io.stagedjobs.enqueuer.postgres.SessionEndRights;
import io.stagedjobs.enqueuer.postgres.TableChecks;
import io.stagedjobs.enqueuer.postgres.WakeUpListener;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.SchemaException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An enqueuer with everything it needs, built from settings; closing releases it all in reverse order. Use it once: to
 * restart, build another one.
 */
public final class EnqueuerAssembly implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(EnqueuerAssembly.class);

    /** The lane's own transaction, and the one that reads ahead. */
    private static final int CONNECTIONS_PER_LANE = 2;

    /** For the heartbeat, for the backlog, to flush the log before PostgreSQL 17, and to find blocking sessions. */
    private static final int CONNECTIONS_MORE = 4;

    private static final Duration STOP_MAX = Duration.ofSeconds(10);

    static {
        // Who runs an enqueuer did not ask for jOOQ's logo and tips; whoever wants them sets the property.
        for (String silent : List.of("org.jooq.no-logo", "org.jooq.no-tips")) {
            System.setProperty(silent, System.getProperty(silent, "true"));
        }
    }

    private final HikariDataSource pool;
    private final Publisher publisher;
    private final Enqueuer enqueuer;
    private final @Nullable WakeUpListener wakeUps;

    /**
     * Checks that the database, its schema and Kafka are there, then connects; starts no thread. If it throws, nothing
     * stays open.
     *
     * @throws SettingsException if a setting is missing or wrong
     * @throws ExternalFailureException if PostgreSQL or Kafka is down or refuses
     * @throws SchemaException if the schema is not the one that this software knows
     */
    @SuppressWarnings("try") // the watch works until it is closed
    public EnqueuerAssembly(Settings settings, Health health, MeterRegistry registry) {
        Database database = database(settings);
        Schema schema = schema(settings);
        String source = settings.get(Setting.SOURCE).replace("<database>", database.name());
        DeliveryMode delivery = settings.get(Setting.DELIVERY);
        DatabaseIdentity identity;
        try (Connection connection = connect(settings);
                LockWatch watch = new LockWatch(database, connection, log::warn)) {
            TableChecks.requireNothingInTheWay(connection, schema);
            SessionEndRights.warning(connection, schema, settings.get(Setting.TAKEOVER_AFTER))
                    .ifPresent(log::warn);
            identity = DatabaseIdentity.read(connection, schema, delivery);
            publisher = publisher(settings, source, identity, registry);
            joinOrClose(publisher, connection, schema, delivery);
        } catch (SQLException e) {
            throw new IllegalStateException("could not close the connection", e);
        }
        health.reached(Origin.KAFKA);
        pool = database.pool(
                CONNECTIONS_PER_LANE * identity.lanes() + CONNECTIONS_MORE,
                settings.get(Setting.PUBLISH_TIMEOUT),
                registry);
        PostgresLanes lanes = new PostgresLanes(
                pool,
                schema,
                new PostgresMembership.Identity(UUID.randomUUID(), name(settings), delivery, identity.id()),
                settings.get(Setting.TAKEOVER_AFTER),
                settings.get(Setting.PUBLISH_TIMEOUT));
        Enqueuer.Options options = new Enqueuer.Options(
                new BatchLimits(settings.get(Setting.BATCH_SIZE), settings.get(Setting.BATCH_BYTES)),
                settings.get(Setting.PUBLISH_TIMEOUT),
                settings.get(Setting.BATCH_INTERVAL),
                settings.get(Setting.POLL_INTERVAL),
                settings.get(Setting.HEARTBEAT_INTERVAL),
                STOP_MAX);
        enqueuer = new Enqueuer(lanes.membership(), lanes, publisher, options, health, registry);
        wakeUps = settings.get(Setting.WAKE_UP) ? new WakeUpListener(database, schema, enqueuer::wake) : null;
    }

    private static void joinOrClose(Publisher publisher, Connection connection, Schema schema, DeliveryMode delivery) {
        try {
            DatabaseIdentity.join(connection, schema, delivery);
        } catch (RuntimeException e) {
            publisher.close();
            throw e;
        }
    }

    /** Starts the threads; returns at once. */
    public void start() {
        enqueuer.start();
        if (wakeUps != null) {
            wakeUps.start();
        }
    }

    Publisher publisher() {
        return publisher;
    }

    Enqueuer enqueuer() {
        return enqueuer;
    }

    @Override
    public void close() {
        if (wakeUps != null) {
            wakeUps.close();
        }
        enqueuer.close();
        publisher.close();
        pool.close();
    }

    private static Publisher publisher(
            Settings settings, String source, DatabaseIdentity identity, MeterRegistry registry) {
        settings.get(Setting.KAFKA_BOOTSTRAP_SERVERS);
        KafkaClientSettings clients =
                new KafkaClientSettings(settings.passedThrough(), settings.get(Setting.PUBLISH_TIMEOUT));
        Publisher publisher;
        try {
            publisher = switch (settings.get(Setting.DELIVERY)) {
                case EXACTLY_ONCE -> new ExactlyOncePublisher(clients, identity.name(), source, registry);
                case AT_LEAST_ONCE -> new AtLeastOncePublisher(clients, source, registry);
            };
        } catch (IllegalArgumentException e) {
            throw new SettingsException(List.of("a setting STAGED_JOBS_KAFKA_… is wrong: " + clients.refused(e)
                    + ". Nothing was started. Check STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS and the"
                    + " other client properties."));
        }
        try {
            publisher.check(identity.lanes());
            return publisher;
        } catch (ExternalFailureException e) {
            publisher.close();
            throw new ExternalFailureException(
                    e.origin(),
                    e.getMessage()
                            + ". Nothing was changed. The cluster asked is that of"
                            + " STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS.",
                    e);
        }
    }

    /**
     * Reads the settings of a process: its flags, then the environment, then the file.
     *
     * @param flags by the settings' keys
     * @param kafka properties of the Kafka client by their own names, as flags
     * @throws SettingsException that names everything that is wrong
     */
    public static Settings settings(
            Map<String, String> flags, Map<String, String> kafka, Map<String, String> environment) {
        Map<String, String> all = new HashMap<>(flags);
        kafka.forEach((property, value) -> all.put(KafkaProperties.PASSTHROUGH.prefix() + property, value));
        return Settings.read(all, environment, KafkaProperties.PASSTHROUGH);
    }

    /** The way to the database. */
    public static Database database(Settings settings) {
        return new Database(
                settings.get(Setting.DATABASE_URL),
                settings.find(Setting.DATABASE_USERNAME),
                settings.secret(Setting.DATABASE_PASSWORD));
    }

    /**
     * Connects to the database; the caller must close the connection.
     *
     * @throws ExternalFailureException if it cannot be reached
     * @throws SchemaException if its schema is not the one that this software knows
     */
    public static Connection connect(Settings settings) {
        return connect(settings, Database.SILENCE_OF_COMMANDS_MAX);
    }

    /** As {@link #connect(Settings)}; a server that is silent for this long counts as gone. */
    public static Connection connect(Settings settings, Duration silenceMax) {
        Connection connection = database(settings).connect(silenceMax);
        try {
            schema(settings).requireCurrent(connection);
            return connection;
        } catch (RuntimeException e) {
            try {
                connection.close();
            } catch (SQLException closing) {
                e.addSuppressed(closing);
            }
            throw e;
        }
    }

    /** The schema of its tables. */
    public static Schema schema(Settings settings) {
        return Schema.named(settings.get(Setting.DATABASE_SCHEMA));
    }

    private static String name(Settings settings) {
        String host;
        try {
            host = InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException e) {
            host = "unknown";
        }
        return settings.get(Setting.NAME)
                .replace("<host>", host)
                .replace("<process id>", Long.toString(ProcessHandle.current().pid()));
    }
}
