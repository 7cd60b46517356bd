package io.stagedjobs.enqueuer.cli;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.kafka.KafkaClientMetrics;
import io.stagedjobs.enqueuer.Enqueuer;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.Lanes;
import io.stagedjobs.enqueuer.OutsideException;
import io.stagedjobs.enqueuer.Publisher;
import io.stagedjobs.enqueuer.kafka.AtLeastOncePublisher;
import io.stagedjobs.enqueuer.kafka.KafkaClientSettings;
import io.stagedjobs.enqueuer.postgres.Database;
import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import io.stagedjobs.schema.Schema;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.List;
import java.util.UUID;

/** An enqueuer with everything it needs, built from settings; closing takes it down in reverse. */
final class Wiring implements AutoCloseable {

    /** One connection a lane, one for the heartbeat and one to spare. */
    private static final int CONNECTIONS_MAX = 10;

    private static final Duration STOP_MAX = Duration.ofSeconds(10);

    private final HikariDataSource pool;
    private final AtLeastOncePublisher publisher;
    private final KafkaClientMetrics kafkaMetrics;
    private final Enqueuer enqueuer;

    /** Checks that the database, its schema and Kafka are there, then connects; starts nothing. */
    Wiring(Settings settings, Health health, MeterRegistry registry) {
        Database database = database(settings);
        Schema schema = schema(settings);
        Cli.requireSchema(database, schema);
        publisher = publisher(settings, database);
        health.reached(OutsideException.Side.KAFKA);
        kafkaMetrics = new KafkaClientMetrics(publisher.producer());
        kafkaMetrics.bindTo(registry);
        pool = database.pool(CONNECTIONS_MAX, registry);
        Lanes lanes = new PostgresLanes(
                pool,
                schema,
                new PostgresLanes.Identity(
                        UUID.randomUUID(),
                        name(settings),
                        settings.get(Setting.DELIVERY).toString()),
                settings.get(Setting.TAKEOVER_AFTER),
                settings.get(Setting.PUBLISH_TIMEOUT));
        Enqueuer.Options options = new Enqueuer.Options(
                new Lanes.BatchLimits(settings.get(Setting.BATCH_SIZE), settings.get(Setting.BATCH_BYTES)),
                settings.get(Setting.POLL_INTERVAL),
                settings.get(Setting.HEARTBEAT_INTERVAL),
                STOP_MAX);
        enqueuer = new Enqueuer(lanes, publisher, options, health, registry);
    }

    Publisher publisher() {
        return publisher;
    }

    Enqueuer enqueuer() {
        return enqueuer;
    }

    @Override
    public void close() {
        enqueuer.close();
        kafkaMetrics.close();
        publisher.close();
        pool.close();
    }

    private static AtLeastOncePublisher publisher(Settings settings, Database database) {
        settings.get(Setting.KAFKA_BOOTSTRAP_SERVERS);
        AtLeastOncePublisher publisher;
        try {
            publisher = new AtLeastOncePublisher(
                    new KafkaClientSettings(settings.kafka(), settings.get(Setting.PUBLISH_TIMEOUT)),
                    settings.get(Setting.SOURCE).replace("<database>", database.name()));
        } catch (IllegalArgumentException e) {
            throw new SettingsException(
                    List.of(
                            "a setting STAGED_JOBS_KAFKA_… is wrong: " + e.getMessage()
                                    + ". Nothing was started. Check STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS and the other client properties."));
        }
        try {
            publisher.check();
            return publisher;
        } catch (OutsideException e) {
            publisher.close();
            throw new OutsideException(
                    e.side(),
                    e.getMessage()
                            + ". Nothing was changed. Check STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS, and that a broker"
                            + " runs and can be reached from here.",
                    e);
        }
    }

    static Database database(Settings settings) {
        return new Database(
                settings.get(Setting.DATABASE_URL),
                settings.find(Setting.DATABASE_USERNAME),
                settings.find(Setting.DATABASE_PASSWORD));
    }

    static Schema schema(Settings settings) {
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
