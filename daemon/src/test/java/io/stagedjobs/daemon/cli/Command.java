package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Eventually;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.DoubleStream;

/** Runs commands as an operator does: in this JVM for their words, in a JVM of their own for their life. */
public final class Command {

    /** As the launcher has it, but starts sooner: most daemons of the tests live for seconds. */
    public static final List<String> JVM_ARGS =
            List.of("-XX:+ExitOnOutOfMemoryError", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");

    private static final int LINES_TOLD = 150;
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final Pattern STARTED = Pattern.compile("enqueuer started.*admin on (http://[^/]+/)");

    /** What a command answered. */
    public record Answer(int exitCode, String out, String err) {}

    private Command() {}

    public static Answer run(Map<String, String> environment, String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exitCode = Cli.execute(List.of(args), environment, new PrintWriter(out, true), new PrintWriter(err, true));
        return new Answer(exitCode, out.toString(), err.toString());
    }

    /** Runs the daemon, which has to end at its start with one line that has these words. */
    public static void assertStartRefused(Map<String, String> environment, String... words) {
        Answer answer = run(environment, "run");
        assertThat(answer.exitCode()).isEqualTo(1);
        assertThat(answer.err()).contains(words).contains("Nothing was changed");
        assertThat(answer.err().lines()).hasSize(1);
    }

    /** The environment of a command that works on an outbox. */
    public static Map<String, String> environment(TestOutbox outbox) {
        Map<String, String> environment = new HashMap<>();
        environment.put("STAGED_JOBS_DATABASE_URL", outbox.database.url());
        environment.put("STAGED_JOBS_DATABASE_USERNAME", outbox.database.username());
        environment.put("STAGED_JOBS_DATABASE_PASSWORD", outbox.database.password());
        environment.put("STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS", outbox.kafka.bootstrapServers());
        environment.put("STAGED_JOBS_HEARTBEAT_INTERVAL", "300ms");
        environment.put("STAGED_JOBS_TAKEOVER_AFTER", "1500ms");
        environment.put("STAGED_JOBS_ADMIN_PORT", "0");
        environment.put("STAGED_JOBS_DELIVERY", "at-least-once");
        return environment;
    }

    public static Map<String, String> with(Map<String, String> environment, String... pairs) {
        Map<String, String> changed = new HashMap<>(environment);
        for (int i = 0; i < pairs.length; i += 2) {
            changed.put(pairs[i], pairs[i + 1]);
        }
        return changed;
    }

    /** What a test finds out about daemons. */
    public interface Check {
        void run() throws Exception;
    }

    /**
     * Runs a check; if it fails, prints the status and what each daemon said last, because another time it may pass.
     *
     * @throws AssertionError if the check fails
     */
    public static void explained(TestOutbox outbox, Check check) throws Exception {
        try {
            check.run();
        } catch (AssertionError failed) {
            try {
                report(outbox);
            } catch (Exception untold) {
                failed.addSuppressed(untold);
            }
            throw failed;
        }
    }

    private static void report(TestOutbox outbox) throws Exception {
        System.out.println(run(environment(outbox), "status").out());
        for (Daemon daemon : outbox.kept(Daemon.class)) {
            List<String> lines = daemon.process.output();
            System.out.println(daemon.process.name() + ", "
                    + (daemon.process.isRunning() ? daemon.get("health/ready").body() : "ended"));
            lines.subList(Math.max(0, lines.size() - LINES_TOLD), lines.size()).forEach(System.out::println);
        }
    }

    /** Waits until no job waits in the table. */
    public static void awaitDrained(TestOutbox outbox) throws Exception {
        explained(outbox, () -> Eventually.until("nothing waits", () -> outbox.waiting() == 0));
    }

    /** A daemon in a JVM of its own, ended with the outbox. */
    public static final class Daemon implements AutoCloseable {
        public final ChildProcess process;
        private final String admin;

        public Daemon(TestOutbox outbox, String name, Map<String, String> environment) {
            this(outbox, ChildJvm.start(name, Cli.class.getName(), JVM_ARGS, List.of("run"), environment));
        }

        /** As {@link #Daemon(TestOutbox, String, Map)}, by the launcher of an unpacked release. */
        public Daemon(TestOutbox outbox, String name, Map<String, String> environment, Path release) {
            this(
                    outbox,
                    ChildProcess.start(
                            name,
                            List.of(release.resolve("bin/staged-jobs").toString(), "run"),
                            with(
                                    environment,
                                    "JAVA_HOME",
                                    System.getProperty("java.home"),
                                    "STAGED_JOBS_JAVA_OPTS",
                                    String.join(" ", JVM_ARGS))));
        }

        private Daemon(TestOutbox outbox, ChildProcess started) {
            process = started;
            outbox.keep(this);
            Matcher words = STARTED.matcher(process.awaitLine(STARTED, Duration.ofSeconds(60)));
            if (!words.find()) {
                throw new IllegalStateException("no admin address in the log");
            }
            admin = words.group(1);
        }

        public HttpResponse<String> get(String path, String... headers) throws Exception {
            HttpRequest.Builder request =
                    HttpRequest.newBuilder(URI.create(admin + path)).timeout(Duration.ofSeconds(30));
            if (headers.length > 0) {
                request.headers(headers);
            }
            return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString(UTF_8));
        }

        /**
         * The value of a meter, summed over the labels that are not named; empty if there is none.
         *
         * @param series its name, and labels in braces
         */
        public OptionalDouble metric(String series) throws Exception {
            double[] values = get("metrics")
                    .body()
                    .lines()
                    .filter(line -> line.startsWith(series + " ") || line.startsWith(series + "{"))
                    .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                    .toArray();
            return values.length == 0
                    ? OptionalDouble.empty()
                    : OptionalDouble.of(DoubleStream.of(values).sum());
        }

        public boolean isReady() throws Exception {
            return get("health/ready").statusCode() == 200;
        }

        @Override
        public void close() {
            process.close();
        }
    }
}
