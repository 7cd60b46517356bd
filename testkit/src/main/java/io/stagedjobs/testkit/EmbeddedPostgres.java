package io.stagedjobs.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One PostgreSQL server as a child process, with its data in a temporary directory.
 *
 * <p>PostgreSQL refuses to run as root. A JVM that runs as root starts its server as the user <i>nobody</i>: in a
 * separate user namespace, or where that is forbidden, as in many containers, by changing the user.
 */
final class EmbeddedPostgres implements AutoCloseable {

    static final String USERNAME = "postgres";
    static final String PASSWORD = "postgres-of-the-tests";

    private static final Duration START_MAX = Duration.ofSeconds(60);
    private static final Duration STOP_MAX = Duration.ofSeconds(60);
    private static final Pattern READY = Pattern.compile("database system is ready to accept");
    private static final Pattern VERSION = Pattern.compile("PostgreSQL\\) (\\d+)");
    private static final int BUILTIN_LOCALES_SINCE = 17;
    private static final int NOBODY = 65_534;

    /**
     * Starts the server in place of the shell, so that both have one process id, beside a watcher that outlives this
     * JVM. If the server still runs when standard input ends, this JVM is gone: the watcher stops the server and
     * deletes its directory, which is {@code $0}. It is not a child of the server, which would not expect one. It waits
     * for ten seconds at most: in a container whose first process reaps no children, a dead server never disappears.
     */
    private static final String RUN_WATCHED = """
            exec 3<&0 </dev/null
            ( (
              read _ <&3
              if kill -0 $$ && [ "$(head -n 1 "$0/data/postmaster.pid")" = $$ ]; then
                kill -QUIT $$
                tries=100
                while kill -0 $$ && [ $tries -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
                rm -rf "$0"
              fi
            ) >/dev/null 2>&1 & )
            exec 3<&-
            exec "$@"
            """;

    private final TempDirectory directory;
    private final Path binaries;
    private final List<String> asAllowedUser;
    private final int port = FreePort.find();
    private volatile @Nullable ChildProcess server;
    private @Nullable AtExit atExit;
    private int copies;

    private EmbeddedPostgres(TempDirectory directory) throws IOException {
        this.directory = directory;
        this.binaries = PostgresBinaries.directory();
        this.asAllowedUser = asAllowedUser(directory.path());
    }

    static EmbeddedPostgres start(Map<String, String> settings) {
        TempDirectory directory = TempDirectory.create("staged-jobs-postgres");
        try {
            EmbeddedPostgres postgres = new EmbeddedPostgres(directory);
            postgres.initialize(settings);
            postgres.start();
            return postgres;
        } catch (IOException e) {
            directory.close();
            throw new UncheckedIOException("cannot set up the embedded PostgreSQL in " + directory.path(), e);
        } catch (RuntimeException | Error e) {
            directory.close();
            throw e;
        }
    }

    /**
     * Starts another server on a cold copy of this one's files, on a port of its own.
     *
     * @param settings on top of those that the copy brings along
     * @param asStandby whether it follows this server, and serves readers only until it is promoted
     */
    EmbeddedPostgres startCopy(Path copy, Map<String, String> settings, boolean asStandby) {
        TempDirectory copysDirectory = TempDirectory.create("staged-jobs-postgres");
        try {
            EmbeddedPostgres other = new EmbeddedPostgres(copysDirectory);
            copyTree(copy, other.dataDirectory());
            Map<String, String> all = new LinkedHashMap<>(settings);
            all.put("port", "" + other.port);
            if (asStandby) {
                all.put(
                        "primary_conninfo",
                        "host=127.0.0.1 port=" + port + " user=" + USERNAME + " password=" + PASSWORD
                                + " application_name=standby");
                Path signal = Files.createFile(other.dataDirectory().resolve("standby.signal"));
                other.own(signal);
            }
            other.configure(all);
            other.start();
            return other;
        } catch (IOException e) {
            copysDirectory.close();
            throw new UncheckedIOException("cannot start a copy of the embedded PostgreSQL on port " + port, e);
        } catch (RuntimeException | Error e) {
            copysDirectory.close();
            throw e;
        }
    }

    int port() {
        return port;
    }

    Path dataDirectory() {
        return directory.path().resolve("data");
    }

    ChildProcess process() {
        if (server == null) {
            throw new IllegalStateException("the embedded PostgreSQL was not started");
        }
        return server;
    }

    List<String> log() {
        return server == null ? List.of() : server.output();
    }

    void start() {
        if (server != null && server.isRunning()) {
            throw new IllegalStateException("the embedded PostgreSQL on port " + port + " already runs");
        }
        List<String> command = new ArrayList<>(asAllowedUser);
        if (!PostgresBinaries.onWindows()) {
            command.addAll(List.of("sh", "-c", RUN_WATCHED, directory.path().toString()));
        }
        command.addAll(List.of(program("postgres"), "-D", dataDirectory().toString()));
        ChildProcess started = ChildProcess.start("postgres-" + port, command, Map.of());
        try {
            started.awaitLine(READY, START_MAX);
        } catch (AssertionError e) {
            started.close();
            throw new IllegalStateException("the embedded PostgreSQL does not start: " + e.getMessage(), e);
        }
        server = started;
        atExit = AtExit.run(() -> stop("immediate"));
    }

    /**
     * Stops the server in one of the modes of {@code pg_ctl}, and waits until it is gone; does nothing if it does not
     * run.
     */
    void stop(String mode) {
        if (atExit != null) {
            atExit.cancel();
            atExit = null;
        }
        if (server == null || !server.isRunning()) {
            return;
        }
        run("pg_ctl", "stop", "-D", dataDirectory().toString(), "-m", mode, "-t", "" + STOP_MAX.toSeconds());
        server.awaitExit(STOP_MAX);
    }

    /** Copies the files of the stopped server; the copy is deleted together with the server. */
    Path copyData() {
        requireStopped();
        Path copy = directory.path().resolve("copy-" + ++copies);
        copyTree(dataDirectory(), copy);
        return copy;
    }

    /** Replaces the files of the stopped server by those of a copy, which stays. */
    void putBack(Path copy) {
        requireStopped();
        try {
            TempDirectory.deleteTree(dataDirectory());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot delete " + dataDirectory(), e);
        }
        copyTree(copy, dataDirectory());
    }

    /** Makes a standby a primary, and waits until it is one. */
    void promote() {
        run("pg_ctl", "promote", "-D", dataDirectory().toString(), "-t", "" + START_MAX.toSeconds());
    }

    private void requireStopped() {
        if (server != null && server.isRunning()) {
            throw new IllegalStateException(
                    "the embedded PostgreSQL on port " + port + " runs: only a stopped one's files fit each other");
        }
    }

    /** Uses a program, because it keeps owners and permissions, which PostgreSQL checks. */
    private static void copyTree(Path from, Path to) {
        try (ChildProcess copying =
                ChildProcess.start("cp", List.of("cp", "-a", from.toString(), to.toString()), Map.of())) {
            int exitCode = copying.awaitExit(START_MAX);
            if (exitCode != 0) {
                throw new IllegalStateException("cannot copy " + from + " to " + to + ". " + copying.tail());
            }
        }
    }

    @Override
    public void close() {
        stop("immediate");
        directory.close();
    }

    /** Host connections need passwords, so that a test with a wrong password is meaningful. */
    private void initialize(Map<String, String> settings) throws IOException {
        Path passwordFile = directory.path().resolve("password");
        Files.writeString(passwordFile, PASSWORD);
        own(passwordFile);
        List<String> options = new ArrayList<>(List.of(
                "--pgdata=" + dataDirectory(),
                "--username=" + USERNAME,
                "--pwfile=" + passwordFile,
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions"));
        if (majorVersion() >= BUILTIN_LOCALES_SINCE) {
            options.addAll(List.of("--locale-provider=builtin", "--builtin-locale=C.UTF-8"));
        }
        run("initdb", options.toArray(String[]::new));
        Map<String, String> all = new LinkedHashMap<>();
        all.put("listen_addresses", "127.0.0.1");
        all.put("port", "" + port);
        all.put("unix_socket_directories", "");
        all.putAll(TestPostgres.SERVER_SETTINGS);
        all.putAll(settings);
        configure(all);
    }

    /** Appends settings to the server's file, where the last one counts. */
    private void configure(Map<String, String> settings) throws IOException {
        // In the file, because the command line would override a test's ALTER SYSTEM.
        Files.writeString(
                dataDirectory().resolve("postgresql.conf"),
                settings.entrySet().stream()
                        .map(setting ->
                                setting.getKey() + " = '" + setting.getValue().replace("'", "''") + "'\n")
                        .collect(Collectors.joining("", "\n", "")),
                StandardOpenOption.APPEND);
    }

    private void run(String program, String... args) {
        List<String> command = Stream.of(asAllowedUser.stream(), Stream.of(program(program)), Stream.of(args))
                .flatMap(part -> part)
                .toList();
        try (ChildProcess child = ChildProcess.start(program, command, Map.of())) {
            int exitCode = child.awaitExit(START_MAX.plus(STOP_MAX));
            if (exitCode != 0) {
                throw new IllegalStateException(
                        program + " of the embedded PostgreSQL ended with exit code " + exitCode + ". " + child.tail());
            }
        }
    }

    private int majorVersion() {
        List<String> command = List.of(program("postgres"), "--version");
        try (ChildProcess asked = ChildProcess.start("postgres", command, Map.of())) {
            asked.awaitExit(START_MAX);
            Matcher version = VERSION.matcher(String.join(" ", asked.output()));
            if (!version.find()) {
                throw new IllegalStateException("the embedded PostgreSQL does not tell its version: " + asked.tail());
            }
            return Integer.parseInt(version.group(1));
        }
    }

    private String program(String name) {
        return binaries.resolve("bin").resolve(name).toString();
    }

    /** The beginning of each command: empty, or the program that drops root's identity. */
    private static List<String> asAllowedUser(Path directory) throws IOException {
        if (!isRoots(directory)) {
            return List.of();
        }
        List<String> byNamespace = List.of("unshare", "--user");
        if (works(byNamespace)) {
            return byNamespace;
        }
        List<String> byChangeOfUser = List.of("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups");
        if (works(byChangeOfUser)) {
            Files.setAttribute(directory, "unix:uid", NOBODY);
            return byChangeOfUser;
        }
        throw new IllegalStateException("cannot run the embedded PostgreSQL as root: neither \"unshare --user\" nor"
                + " \"setpriv --reuid\" is allowed here. Run the tests as another user, or name an existing server by"
                + " TEST_DATABASE_URL, TEST_DATABASE_USERNAME and TEST_DATABASE_PASSWORD.");
    }

    private void own(Path file) throws IOException {
        if (!PostgresBinaries.onWindows()) {
            Files.setAttribute(file, "unix:uid", Files.getAttribute(directory.path(), "unix:uid"));
        }
    }

    private static boolean isRoots(Path directory) throws IOException {
        return !PostgresBinaries.onWindows()
                && Files.getAttribute(directory, "unix:uid").equals(0);
    }

    private static boolean works(List<String> prefix) {
        List<String> command = new ArrayList<>(prefix);
        command.add("true");
        try (ChildProcess child = ChildProcess.start(prefix.get(0), command, Map.of())) {
            return child.awaitExit(START_MAX) == 0;
        } catch (IllegalStateException e) {
            return false;
        }
    }
}
