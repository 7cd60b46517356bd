package io.stagedjobs.enqueuer.settings;

import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.schema.Schema;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One setting that the enqueuer knows. {@link #ALL} is the list that docs/configuration.md shows; a test compares the
 * two.
 *
 * @param key its name in a properties file; the flag and the environment variable follow from it
 * @param meaning one line for a person
 * @param expected what a value looks like, bounds included
 * @param defaultText what it is unless set; null if there is no default
 * @param parser throws IllegalArgumentException for a text that is not as expected
 * @param secret never printed; can also be read from the file that {@code <key>.file} names
 */
public record Setting<T>(
        String key,
        String meaning,
        String expected,
        @Nullable String defaultText,
        Function<String, T> parser,
        boolean secret) {

    /** Filled by the declarations below; so it stands before them. */
    private static final List<Setting<?>> DECLARED = new ArrayList<>();

    public static final Setting<String> DATABASE_URL = setting("database.url")
            .meaning("where the staged jobs are")
            .expected("a JDBC URL such as jdbc:postgresql://host:5432/database, without role and password before"
                    + " the host")
            .parsedBy(JdbcUrl::parse);
    public static final Setting<String> DATABASE_USERNAME = setting("database.username")
            .meaning("the role to log in as")
            .expected("a role name")
            .text();
    public static final Setting<String> DATABASE_PASSWORD = setting("database.password")
            .meaning("its password")
            .expected("a password")
            .secret();
    public static final Setting<String> DATABASE_SCHEMA = setting("database.schema")
            .meaning("the schema that holds the tables of Staged Jobs")
            .expected("a schema name of 1 to 63 bytes")
            .unlessSet("public")
            .parsedBy(name -> Schema.named(name).name());
    public static final Setting<String> KAFKA_BOOTSTRAP_SERVERS = setting("kafka.bootstrap.servers")
            .meaning("brokers to connect to first")
            .expected("host:port, more after commas")
            .text();
    public static final Setting<DeliveryMode> DELIVERY = setting("delivery")
            .meaning("what Kafka's readers may rely on")
            .expected("exactly-once or at-least-once")
            .unlessSet("exactly-once")
            .parsedBy(DeliveryMode::parse);
    public static final Setting<Integer> BATCH_SIZE = setting("batch.size")
            .meaning("most jobs in a batch")
            .unlessSet("5000")
            .number(1, 50_000);
    public static final Setting<Integer> BATCH_BYTES = setting("batch.bytes")
            .meaning("most bytes in a batch, exceeded by at most one job")
            .unlessSet("4000000")
            .number(1_000, 256_000_000);
    public static final Setting<Duration> PUBLISH_TIMEOUT = setting("publish.timeout")
            .meaning("longest time that a batch waits for Kafka before it is rolled back")
            .unlessSet("4s")
            .duration(Duration.ofMillis(500), Duration.ofMinutes(5));
    public static final Setting<Duration> BATCH_INTERVAL = setting("batch.interval")
            .meaning("least time from the beginning of a batch to that of the next while no backlog waits; a lane also"
                    + " rests twice as long as the batch took, at most three of these")
            .unlessSet("8ms")
            .duration(Duration.ofMillis(1), Duration.ofSeconds(10));
    public static final Setting<Duration> POLL_INTERVAL = setting("poll.interval")
            .meaning("longest time between two looks for jobs while nothing waits")
            .unlessSet("250ms")
            .duration(Duration.ofMillis(2), Duration.ofMinutes(1));
    public static final Setting<Boolean> WAKE_UP = setting("wake.up")
            .meaning("whether lanes that rest are woken by applications that signal their commits")
            .unlessSet("true")
            .trueOrFalse();
    public static final Setting<Duration> HEARTBEAT_INTERVAL = setting("heartbeat.interval")
            .meaning("how often this enqueuer renews its heartbeat")
            .unlessSet("2s")
            .duration(Duration.ofMillis(100), Duration.ofMinutes(1));
    public static final Setting<Duration> TAKEOVER_AFTER = setting("takeover.after")
            .meaning("age of the last heartbeat at which others take an enqueuer's lanes; at least three heartbeats")
            .unlessSet("10s")
            .duration(Duration.ofMillis(500), Duration.ofMinutes(10));
    public static final Setting<String> SOURCE = setting("source")
            .meaning("the header ce_source of every record")
            .expected("a URI reference")
            .unlessSet("/staged-jobs/<database>")
            .parsedBy(Setting::uriReference);
    public static final Setting<String> NAME = setting("name")
            .meaning("this enqueuer's name in `status`")
            .expected("any text")
            .unlessSet("<host>:<process id>")
            .text();
    public static final Setting<String> ADMIN_HOST = setting("admin.host")
            .meaning("address the admin HTTP server binds")
            .expected("a host name or address")
            .unlessSet("127.0.0.1")
            .text();
    public static final Setting<Integer> ADMIN_PORT = setting("admin.port")
            .meaning("its port; 0 takes any free one")
            .unlessSet("8089")
            .number(0, 65_535);
    public static final Setting<String> ADMIN_TOKEN = setting("admin.token")
            .meaning("the operator's bearer token: /metrics and /api ask for it; one of the two is needed to bind"
                    + " anything but loopback")
            .expected("at least 16 characters")
            .secret();
    public static final Setting<String> ADMIN_TOKEN_READONLY = setting("admin.token.readonly")
            .meaning("another bearer token, which may read /metrics and /api but change nothing")
            .expected("at least 16 characters, another one than admin.token")
            .secret();

    /** Every setting but the properties that pass through to a client, essential ones first. */
    public static final List<Setting<?>> ALL = Collections.unmodifiableList(DECLARED);

    static final String ENVIRONMENT_PREFIX = "STAGED_JOBS_";

    private static SettingBuilder setting(String key) {
        return new SettingBuilder(key, DECLARED::add);
    }

    /** The command line's name, for example {@code --database-url}. */
    public String flag() {
        return flag(key);
    }

    /** The environment's name, for example {@code STAGED_JOBS_DATABASE_URL}. */
    public String variable() {
        return variable(key);
    }

    static String flag(String key) {
        return "--" + key.replace('.', '-');
    }

    static String variable(String key) {
        return ENVIRONMENT_PREFIX + key.replace('.', '_').toUpperCase(Locale.ROOT);
    }

    /** @return as it is, with {@code <database>} for the database's name */
    private static String uriReference(String text) {
        URI.create(text.replace("<database>", "database"));
        return text;
    }
}
