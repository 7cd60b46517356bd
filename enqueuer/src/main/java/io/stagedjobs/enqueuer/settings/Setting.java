package io.stagedjobs.enqueuer.settings;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.enqueuer.DeliveryMode;
import io.stagedjobs.schema.Schema;
import java.net.URI;
import java.net.URLDecoder;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
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

    public static final Setting<String> DATABASE_URL = new Setting<>(
            "database.url",
            "where the staged jobs are",
            "a JDBC URL such as jdbc:postgresql://host:5432/database, without role and password before the host",
            null,
            Setting::jdbcUrl,
            false);
    public static final Setting<String> DATABASE_USERNAME =
            text("database.username", "the role to log in as", "a role name", null, false);
    public static final Setting<String> DATABASE_PASSWORD =
            text("database.password", "its password", "a password", null, true);
    public static final Setting<String> DATABASE_SCHEMA = new Setting<>(
            "database.schema",
            "the schema that holds the tables of Staged Jobs",
            "a schema name of 1 to 63 bytes",
            "public",
            name -> Schema.named(name).name(),
            false);
    public static final Setting<String> KAFKA_BOOTSTRAP_SERVERS =
            text("kafka.bootstrap.servers", "brokers to connect to first", "host:port, more after commas", null, false);
    public static final Setting<DeliveryMode> DELIVERY = new Setting<>(
            "delivery",
            "what Kafka's readers may rely on",
            "exactly-once or at-least-once",
            "exactly-once",
            DeliveryMode::parse,
            false);
    public static final Setting<String> SOURCE = new Setting<>(
            "source",
            "the header ce_source of every record",
            "a URI reference",
            "/staged-jobs/<database>",
            Setting::uriReference,
            false);
    public static final Setting<Integer> BATCH_SIZE = number("batch.size", "most jobs in a batch", 1, 50_000, "5000");
    public static final Setting<Integer> BATCH_BYTES =
            number("batch.bytes", "most bytes in a batch, exceeded by at most one job", 1_000, 256_000_000, "4000000");
    public static final Setting<Duration> PUBLISH_TIMEOUT = duration(
            "publish.timeout",
            "longest that a batch waits for Kafka in all before it is taken back",
            Duration.ofMillis(500),
            Duration.ofMinutes(5),
            "4s");
    public static final Setting<Duration> BATCH_INTERVAL = duration(
            "batch.interval",
            "least time from the beginning of a batch to that of the next while no backlog waits; a lane also rests"
                    + " twice as long as the batch took, at most three of these",
            Duration.ofMillis(1),
            Duration.ofSeconds(10),
            "8ms");
    public static final Setting<Duration> POLL_INTERVAL = duration(
            "poll.interval",
            "longest time between two looks for jobs while nothing waits",
            Duration.ofMillis(2),
            Duration.ofMinutes(1),
            "250ms");
    public static final Setting<Boolean> WAKE_UP = new Setting<>(
            "wake.up",
            "whether lanes that rest are woken by applications that signal their commits",
            "true or false",
            "true",
            Setting::parseBoolean,
            false);
    public static final Setting<Duration> HEARTBEAT_INTERVAL = duration(
            "heartbeat.interval",
            "how often this enqueuer says that it lives",
            Duration.ofMillis(100),
            Duration.ofMinutes(1),
            "2s");
    public static final Setting<Duration> TAKEOVER_AFTER = duration(
            "takeover.after",
            "age of the last heartbeat at which others take an enqueuer's lanes; at least three heartbeats",
            Duration.ofMillis(500),
            Duration.ofMinutes(10),
            "10s");
    public static final Setting<String> NAME =
            text("name", "this enqueuer's name in `status`", "any text", "<host>:<process id>", false);
    public static final Setting<String> ADMIN_HOST =
            text("admin.host", "address the admin HTTP server binds", "a host name or address", "127.0.0.1", false);
    public static final Setting<Integer> ADMIN_PORT =
            number("admin.port", "its port; 0 takes any free one", 0, 65_535, "8089");
    public static final Setting<String> ADMIN_TOKEN = text(
            "admin.token",
            "the operator's bearer token: /metrics and /api ask for it; one of the two is needed to bind anything but"
                    + " loopback",
            "at least 16 characters",
            null,
            true);
    public static final Setting<String> ADMIN_TOKEN_READONLY = text(
            "admin.token.readonly",
            "another bearer token, which may read /metrics and /api but change nothing",
            "at least 16 characters, another one than admin.token",
            null,
            true);

    /** Every setting but the Kafka client properties, essential ones first. */
    public static final List<Setting<?>> ALL = List.of(
            DATABASE_URL,
            DATABASE_USERNAME,
            DATABASE_PASSWORD,
            DATABASE_SCHEMA,
            KAFKA_BOOTSTRAP_SERVERS,
            DELIVERY,
            BATCH_SIZE,
            BATCH_BYTES,
            PUBLISH_TIMEOUT,
            BATCH_INTERVAL,
            POLL_INTERVAL,
            WAKE_UP,
            HEARTBEAT_INTERVAL,
            TAKEOVER_AFTER,
            SOURCE,
            NAME,
            ADMIN_HOST,
            ADMIN_PORT,
            ADMIN_TOKEN,
            ADMIN_TOKEN_READONLY);

    /** Any other Kafka client property is set under its own name behind this. */
    public static final String KAFKA_PREFIX = "kafka.";

    static final String ENVIRONMENT_PREFIX = "STAGED_JOBS_";

    /** The command line's name, for example {@code --database-url}. */
    public String flag() {
        return flag(key);
    }

    /** The environment's name, for example {@code STAGED_JOBS_DATABASE_URL}. */
    public String variable() {
        return variable(key);
    }

    /** As it is given on the command line, where Kafka's properties have a flag in common. */
    static String flag(String key) {
        return key.startsWith(KAFKA_PREFIX) && ALL.stream().noneMatch(setting -> key.equals(setting.key))
                ? "--kafka " + key.substring(KAFKA_PREFIX.length()) + "=…"
                : "--" + key.replace('.', '-');
    }

    static String variable(String key) {
        return ENVIRONMENT_PREFIX + key.replace('.', '_').toUpperCase(Locale.ROOT);
    }

    private static Setting<String> text(
            String key, String meaning, String expected, @Nullable String defaultText, boolean secret) {
        return new Setting<>(key, meaning, expected, defaultText, text -> text, secret);
    }

    private static Setting<Integer> number(String key, String meaning, int min, int max, String defaultText) {
        return new Setting<>(
                key,
                meaning,
                "a whole number from " + min + " to " + max,
                defaultText,
                text -> {
                    int value = Integer.parseInt(text);
                    if (value < min || value > max) {
                        throw new IllegalArgumentException();
                    }
                    return value;
                },
                false);
    }

    private static Setting<Duration> duration(
            String key, String meaning, Duration min, Duration max, String defaultText) {
        return new Setting<>(
                key,
                meaning,
                "a duration from " + print(min) + " to " + print(max) + ", written as 250ms, 5s or 2m",
                defaultText,
                text -> {
                    Duration value = parseDuration(text);
                    if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
                        throw new IllegalArgumentException();
                    }
                    return value;
                },
                false);
    }

    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(ms|s|m)");

    /**
     * Reads a duration in milliseconds, seconds or minutes.
     *
     * @throws IllegalArgumentException if it is written otherwise
     */
    public static Duration parseDuration(String text) {
        Matcher matcher = DURATION.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("not a duration such as 250ms, 5s or 2m: " + text);
        }
        long amount = Long.parseLong(matcher.group(1));
        return switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            default -> Duration.ofMinutes(amount);
        };
    }

    /** @return as it is, with {@code <database>} for the database's name */
    private static String uriReference(String text) {
        URI.create(text.replace("<database>", "database"));
        return text;
    }

    private static boolean parseBoolean(String text) {
        if (!text.equals("true") && !text.equals("false")) {
            throw new IllegalArgumentException();
        }
        return text.equals("true");
    }

    private static String print(Duration duration) {
        long millis = duration.toMillis();
        return millis % 60_000 == 0 ? millis / 60_000 + "m" : millis % 1000 == 0 ? millis / 1000 + "s" : millis + "ms";
    }

    /**
     * A server, or several after commas, each without a role or password in it: the driver would take that for a port.
     */
    private static final String SERVERS = "[^@:/?#,\\[\\]]*|\\[[0-9a-fA-F:.%]*\\]";

    private static final Pattern JDBC_URL =
            Pattern.compile("(?s)jdbc:postgresql:(//SERVER(,SERVER)*(/[^?]*)?|[^/?:@]*)(\\?.*)?"
                    .replace("SERVER", "(" + SERVERS + ")(:\\d{0,5})?"));

    /** What the driver cannot read it repeats in its messages, with all that is in it. */
    private static String jdbcUrl(String text) {
        if (!JDBC_URL.matcher(text).matches()) {
            throw new IllegalArgumentException();
        }
        URLDecoder.decode(text, UTF_8); // throws for a % that stands for nothing
        return text;
    }
}
