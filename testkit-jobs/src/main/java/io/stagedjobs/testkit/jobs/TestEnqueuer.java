package io.stagedjobs.testkit.jobs;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.assembly.Drain;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.kafka.KafkaProperties;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import io.stagedjobs.schema.SchemaException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * The real enqueuer inside a test: publishes committed jobs to Kafka when the test wants it.
 *
 * <p>docs/configuration.md lists its settings. It creates only its own topic for progress. <b>Transaction</b>: its own.
 * <b>Threads</b>: immutable, thread-safe; the threads that it starts end with each {@link #drain}.
 */
public final class TestEnqueuer {

    private static final Duration GIVE_UP_AFTER_DEFAULT = Duration.ofSeconds(30);

    private final Map<String, String> settings;
    private final Duration giveUpAfter;

    private TestEnqueuer(Map<String, String> settings, Duration giveUpAfter) {
        this.settings = settings;
        this.giveUpAfter = giveUpAfter;
    }

    /**
     * Takes jobs from this database.
     *
     * @param url a JDBC URL, {@code jdbc:postgresql:…}
     */
    public static TestEnqueuer from(String url, String username, String password) {
        return new TestEnqueuer(Map.of(), GIVE_UP_AFTER_DEFAULT)
                .with(Setting.WAKE_UP.key(), "false") // it never rests for long
                .with(Setting.DATABASE_URL.key(), url)
                .with(Setting.DATABASE_USERNAME.key(), username)
                .with(Setting.DATABASE_PASSWORD.key(), password);
    }

    /** Publishes to this cluster: {@code host:port}, several separated by commas. */
    public TestEnqueuer to(String bootstrapServers) {
        return with(Setting.KAFKA_BOOTSTRAP_SERVERS.key(), bootstrapServers);
    }

    /**
     * Sets a key of docs/configuration.md, for instance {@code database.schema} or {@code delivery}. If the delivery
     * mode does not matter to a test, {@code at-least-once} drains sooner.
     */
    public TestEnqueuer with(String setting, String value) {
        Map<String, String> changed = new HashMap<>(settings);
        changed.put(setting, value);
        return new TestEnqueuer(changed, giveUpAfter);
    }

    /** Limits how long {@link #drain} waits while no job moves; 30 s by default. */
    public TestEnqueuer giveUpAfter(Duration giveUpAfter) {
        return new TestEnqueuer(settings, giveUpAfter);
    }

    /**
     * Publishes all jobs committed before, and returns when Kafka has acknowledged them. It does not wait for jobs of
     * open transactions. It ends at once when all remaining jobs are held or parked, and after {@link #giveUpAfter}
     * while no job moves.
     *
     * @return the number of published jobs
     * @throws AssertionError if jobs remain; the message names them and the reason
     * @throws SettingsException if a setting is wrong, unknown or missing
     * @throws ExternalFailureException if PostgreSQL or Kafka cannot be reached, or refuses
     * @throws SchemaException if the tables are missing, or of another version than this software knows
     * @throws IllegalStateException if the thread is interrupted meanwhile; its flag stays set
     */
    public long drain() {
        Settings checked = Settings.of(settings, "", KafkaProperties.PASSTHROUGH);
        Drain.Result result;
        try {
            result = Drain.run(checked, giveUpAfter);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while draining; unpublished jobs are still staged", e);
        }
        if (!result.left().isEmpty()) {
            throw new AssertionError("could not drain all that was staged:\n  " + String.join("\n  ", result.left())
                    + "\nNot published are " + left(checked));
        }
        return result.published();
    }

    private static FoundJobs left(Settings settings) {
        try (Connection connection = EnqueuerAssembly.connect(settings)) {
            return JobTables.in(connection)
                    .schema(EnqueuerAssembly.schema(settings))
                    .all();
        } catch (SQLException e) {
            throw new IllegalStateException("could not close the connection", e);
        }
    }
}
