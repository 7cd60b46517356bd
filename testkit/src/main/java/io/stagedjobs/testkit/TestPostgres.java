package io.stagedjobs.testkit;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.testcontainers.postgresql.PostgreSQLContainer;
import org.testcontainers.utility.DockerImageName;

/**
 * A real PostgreSQL server.
 *
 * <p>{@link #shared()} is for nearly every test: each takes a {@linkplain #newDatabase new database}. A test that stops
 * its server starts its own with {@link #startEmbedded()}; so does the demo. Connections over TCP need the password on
 * each kind of server; only an existing one ({@code TEST_DATABASE_URL}) may be set up otherwise.
 */
public final class TestPostgres implements AutoCloseable {

    /** Settings of containers and embedded servers on top of PostgreSQL's defaults. */
    static final Map<String, String> SERVER_SETTINGS =
            Map.of("max_connections", "200", "max_prepared_transactions", "20");

    private static final Logger LOG = LoggerFactory.getLogger(TestPostgres.class);
    /** One host; an IPv6 address stands in brackets. */
    private static final Pattern URL = Pattern.compile(
            "jdbc:postgresql://(?<host>[^/:?,\\[]+|\\[[0-9a-fA-F:]+])(:(?<port>[0-9]+))?/(?<name>[^/?]+)(\\?.*)?");

    private static final int DEFAULT_PORT = 5432;
    /** -Dpostgres.version names the version of embedded servers; containers are of the same line. */
    private static final String IMAGE =
            "postgres:" + System.getProperty("postgres.version", "18").replaceFirst("\\..*", "");

    private static final Duration CONTAINER_START_MAX = Duration.ofMinutes(5);

    /** The length of a name of 63 bytes without its random end. */
    private static final int PREFIX_MAX = 50;

    private static final Once<TestPostgres> SHARED = new Once<>(TestPostgres::choose);

    private final TestDatabase administration;

    /** The server that {@link #stop} and its like act on; null if it is not this object's to stop. */
    private final @Nullable EmbeddedPostgres owned;

    /** Whether the server outlives this JVM, and its databases have to be dropped. */
    private final boolean outlivesJvm;

    private TestPostgres(TestDatabase administration, @Nullable EmbeddedPostgres owned, boolean outlivesJvm) {
        this.administration = administration;
        this.owned = owned;
        this.outlivesJvm = outlivesJvm;
    }

    /**
     * The one server of this JVM, started by the first call: the one that {@code TEST_DATABASE_URL} names (with {@code
     * TEST_DATABASE_USERNAME} and {@code TEST_DATABASE_PASSWORD}, a superuser), else a container, else an embedded one.
     * It runs until the JVM ends, and cannot be stopped from here.
     *
     * @throws IllegalStateException if it does not start; each later call fails too, without another attempt
     */
    public static TestPostgres shared() {
        return SHARED.get();
    }

    /** Starts an embedded server that belongs to the caller, with durable commits like any other. */
    public static TestPostgres startEmbedded() {
        return startEmbedded(Map.of());
    }

    /**
     * As {@link #startEmbedded()}, with settings of {@code postgresql.conf} on top of ours.
     *
     * @throws IllegalStateException with the server's last words, if it does not start
     */
    public static TestPostgres startEmbedded(Map<String, String> settings) {
        return onItsOwn(EmbeddedPostgres.start(settings));
    }

    private static TestPostgres onItsOwn(EmbeddedPostgres embedded) {
        return new TestPostgres(administrationOf(embedded), embedded, false);
    }

    public String host() {
        return administration.host();
    }

    public int port() {
        return administration.port();
    }

    /** The superuser who owns the databases made here. */
    public String username() {
        return administration.username();
    }

    public String password() {
        return administration.password();
    }

    /**
     * Creates an empty database. It goes with the server; on an existing server it is dropped when this JVM ends.
     *
     * @param prefix how its name begins, in lower case letters, digits and underscores
     * @throws IllegalStateException if the server does not create it
     */
    public TestDatabase newDatabase(String prefix) {
        if (!prefix.matches("[a-z][a-z0-9_]{0," + (PREFIX_MAX - 1) + "}")) {
            throw new IllegalArgumentException("expected a prefix of at most " + PREFIX_MAX
                    + " lower case letters, digits and underscores, got \"" + prefix + "\"");
        }
        String name = prefix + "_"
                + HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong(), 10);
        administer("CREATE DATABASE " + name);
        if (outlivesJvm) {
            AtExit.run(() -> administer("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"));
        }
        return database(name);
    }

    /** Stops the server as an administrator would: connections are cut, committed data is on disk. */
    public void stop() {
        owned().stop("fast");
    }

    /** Stops the server at once, without a checkpoint: the next start recovers from the log, as after a crash. */
    public void stopImmediately() {
        owned().stop("immediate");
    }

    /** Starts the stopped server again, with its data, on the same port. */
    public void startAgain() {
        owned().start();
    }

    /** Where an embedded server keeps its data, for tests that copy it while the server is stopped. */
    public Path dataDirectory() {
        return owned().dataDirectory();
    }

    /** A cold copy of the stopped server's files, as a backup tool would take it; deleted together with the server. */
    public Path copyData() {
        return owned().copyData();
    }

    /** Replaces the stopped server's files by those of an earlier copy, as a restore does. */
    public void putBack(Path copy) {
        owned().putBack(copy);
    }

    /** Starts a server of its own on a copy of this one's files: the same databases, the same system identifier. */
    public TestPostgres startCopy(Path copy) {
        return onItsOwn(owned().startCopy(copy, Map.of(), false));
    }

    /** As {@link #startCopy}, as a standby that streams from this server, if that runs, until it is promoted. */
    public TestPostgres startStandby(Path copy) {
        return onItsOwn(owned().startCopy(copy, Map.of(), true));
    }

    /** Makes a standby a primary, and waits until it accepts writers. */
    public void promote() {
        owned().promote();
    }

    /** The database of that name, made here or contained in a copy; does not check whether it exists. */
    public TestDatabase database(String name) {
        return database(withName(administration.url(), name), username(), password());
    }

    /** The process of an embedded server since its last start: its id, its log. */
    public ChildProcess process() {
        return owned().process();
    }

    /** What an embedded server has logged since its last start. */
    public List<String> log() {
        return owned().log();
    }

    /** Stops the server and deletes its data. */
    @Override
    public void close() {
        owned().close();
    }

    private EmbeddedPostgres owned() {
        if (owned == null) {
            throw new UnsupportedOperationException(
                    "the shared PostgreSQL serves other tests too; one that may be stopped comes from startEmbedded()");
        }
        return owned;
    }

    private static TestPostgres choose() {
        String url = System.getenv("TEST_DATABASE_URL");
        if (url != null) {
            LOG.info("Tests use the existing PostgreSQL that TEST_DATABASE_URL names.");
            return existing(url, System.getenv("TEST_DATABASE_USERNAME"), System.getenv("TEST_DATABASE_PASSWORD"));
        }
        if (Docker.answers()) {
            LOG.info("Tests use PostgreSQL in a container ({}): a Docker engine answers.", IMAGE);
            return inContainer();
        }
        LOG.info("Tests use an embedded PostgreSQL: TEST_DATABASE_URL is not set and no Docker engine answers.");
        return new TestPostgres(administrationOf(EmbeddedPostgres.start(Map.of())), null, false);
    }

    static TestPostgres existing(String url, @Nullable String username, @Nullable String password) {
        TestPostgres existing = new TestPostgres(
                database(
                        withoutCredentials(url),
                        Objects.requireNonNullElse(username, EmbeddedPostgres.USERNAME),
                        Objects.requireNonNullElse(password, "")),
                null,
                true);
        existing.administer("SELECT 1");
        return existing;
    }

    /** Testcontainers ends the container together with this JVM, even if that is killed. */
    private static TestPostgres inContainer() {
        String[] command = Stream.concat(
                        Stream.of("postgres"),
                        SERVER_SETTINGS.entrySet().stream()
                                .flatMap(setting -> Stream.of("-c", setting.getKey() + "=" + setting.getValue())))
                .toArray(String[]::new);
        PostgreSQLContainer container = new PostgreSQLContainer(DockerImageName.parse(IMAGE))
                .withUsername(EmbeddedPostgres.USERNAME)
                .withPassword(EmbeddedPostgres.PASSWORD)
                .withStartupTimeout(CONTAINER_START_MAX);
        container.withCommand(command);
        container.start();
        return new TestPostgres(
                database(
                        "jdbc:postgresql://" + container.getHost() + ":"
                                + container.getMappedPort(PostgreSQLContainer.POSTGRESQL_PORT) + "/postgres",
                        container.getUsername(),
                        container.getPassword()),
                null,
                false);
    }

    private void administer(String statement) {
        try (Connection connection = administration.connect();
                Statement sql = connection.createStatement()) {
            sql.execute(statement);
        } catch (SQLException e) {
            throw new IllegalStateException(
                    "cannot run \"" + statement + "\" as " + administration + ": " + e.getMessage(), e);
        }
    }

    private static TestDatabase administrationOf(EmbeddedPostgres embedded) {
        return database(
                "jdbc:postgresql://127.0.0.1:" + embedded.port() + "/postgres",
                EmbeddedPostgres.USERNAME,
                EmbeddedPostgres.PASSWORD);
    }

    private static TestDatabase database(String url, String username, String password) {
        Matcher parts = URL.matcher(url);
        if (!parts.matches()) {
            throw new IllegalStateException("expected a URL like jdbc:postgresql://host:port/database, got " + url);
        }
        String port = parts.group("port");
        return new TestDatabase(
                url,
                parts.group("host"),
                port == null ? DEFAULT_PORT : Integer.parseInt(port),
                parts.group("name"),
                username,
                password);
    }

    /** The URL of another database of the same server. */
    private static String withName(String url, String name) {
        return url.replaceFirst("/[^/?]*(?=\\?|$)", "/" + name);
    }

    private static String withoutCredentials(String url) {
        int question = url.indexOf('?');
        if (question < 0) {
            return url;
        }
        String parameters = Arrays.stream(url.substring(question + 1).split("&", -1))
                .filter(parameter -> !parameter.startsWith("user=") && !parameter.startsWith("password="))
                .collect(Collectors.joining("&"));
        return url.substring(0, question) + (parameters.isEmpty() ? "" : "?" + parameters);
    }
}
