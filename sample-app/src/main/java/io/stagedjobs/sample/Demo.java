package io.stagedjobs.sample;

import io.stagedjobs.sample.upstream.ContractService;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Everything on one machine, with nothing to install: PostgreSQL, Kafka, the enqueuer as a process of its own, the sample
 * service and its consumer.
 *
 * <p>System properties: {@value #LAUNCHER} is the enqueuer's launcher; with {@value #EXIT} (any value but {@code false})
 * the demo plays {@link DemoStory} and ends, with exit code 0 only if all went as told. Otherwise it says where to look,
 * and runs until Ctrl-C.
 */
public final class Demo implements AutoCloseable {

    private static final String LAUNCHER = "demo.launcher";
    private static final String EXIT = "demo.exit";

    private static final int SERVICE_PORT = 8080;
    private static final int ADMIN_PORT = 8089;
    private static final int ANY_PORT = 0;

    private static final Duration START_MAX = Duration.ofMinutes(1);
    private static final Duration STOP_MAX = Duration.ofSeconds(30);

    /** More than the enqueuer's own patience: it says what is wrong before we lose ours. */
    private static final Duration DRAIN_MAX = Duration.ofMinutes(3);

    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);
    private static final Pattern STARTED = Pattern.compile("admin on (http://\\S+?)/");

    private final Path launcher;
    private final boolean byItself;
    private final PrintStream out = System.out;

    /** What runs, the newest first: the order in which it is stopped. */
    private final Deque<AutoCloseable> running = new ArrayDeque<>();

    private Demo(Path launcher, boolean byItself) {
        this.launcher = launcher;
        this.byItself = byItself;
    }

    /** Runs the demo; see the class. */
    @SuppressWarnings("CatchAndPrintStackTrace") // a demo has no other place for what nobody expected
    public static void main(String[] args) {
        String exit = System.getProperty(EXIT);
        Path launcher = Path.of(System.getProperty(LAUNCHER, "enqueuer/target/staged-jobs/bin/staged-jobs"));
        boolean succeeded = false;
        endWithParent();
        if (!Files.isExecutable(launcher)) {
            System.err.println("demo: cannot find the enqueuer's launcher at " + launcher.toAbsolutePath()
                    + ". Nothing was started. Run the demo with `mvn -q -Pdemo`, which builds it.");
        } else {
            try (Demo demo = new Demo(launcher, exit != null && !exit.equals("false"))) {
                succeeded = demo.run();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (Exception | AssertionError e) {
                System.err.println("demo: could not go on; everything is being stopped.");
                e.printStackTrace();
            }
        }
        System.exit(succeeded ? 0 : 1);
    }

    /** Ctrl-C reaches every process of a terminal; a signal to Maven alone would leave the demo running without it. */
    private static void endWithParent() {
        var unused =
                ProcessHandle.current().parent().map(parent -> parent.onExit().thenRun(() -> System.exit(1)));
    }

    private boolean run() throws InterruptedException {
        out.println("Starting PostgreSQL, Kafka, the enqueuer and the sample service ...");
        TestPostgres postgres = started(TestPostgres.startEmbedded());
        TestKafka kafka = started(TestKafka.startEmbedded());
        TestDatabase database = postgres.newDatabase("demo");
        Map<String, String> enqueuerSettings = Map.of(
                "JAVA_HOME", System.getProperty("java.home"),
                "STAGED_JOBS_DATABASE_URL", database.url(),
                "STAGED_JOBS_DATABASE_USERNAME", database.username(),
                "STAGED_JOBS_DATABASE_PASSWORD", database.password(),
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrapServers(),
                "STAGED_JOBS_HEARTBEAT_INTERVAL", "500ms",
                "STAGED_JOBS_TAKEOVER_AFTER", "3s",
                "STAGED_JOBS_ADMIN_PORT", Integer.toString(port(ADMIN_PORT)));
        runToItsEnd("migrate", enqueuerSettings, START_MAX);

        ContractService upstream = started(new ContractService(ANY_PORT, call -> {}));
        SampleSettings settings = new SampleSettings(
                database.url(),
                database.username(),
                database.password(),
                kafka.bootstrapServers(),
                "127.0.0.1",
                port(SERVICE_PORT),
                true,
                upstream.url());
        Arrivals arrivals = new Arrivals(out, byItself);
        SampleApp app = started(SampleApp.start(settings, Topics.DEFAULT, arrivals));

        ChildProcess enqueuer = startEnqueuer(enqueuerSettings);
        Matcher admin = STARTED.matcher(enqueuer.awaitLine(STARTED, START_MAX));
        String adminUrl = admin.find() ? admin.group(1) : "";

        if (byItself) {
            Runnable drain = () -> runToItsEnd("drain", enqueuerSettings, DRAIN_MAX);
            Auditor auditor = new Auditor(app.pool(), kafka.bootstrapServers(), Topics.DEFAULT.users());
            Runnable crash = () -> {
                enqueuer.kill();
                startEnqueuer(enqueuerSettings);
            };
            return new DemoStory(app, database, auditor, crash, drain, out).play();
        }
        sayWhereToLook(app, upstream, adminUrl, database, kafka);
        return waitForCtrlC(app, enqueuer);
    }

    private ChildProcess startEnqueuer(Map<String, String> settings) {
        ChildProcess enqueuer = ChildProcess.start("enqueuer", command("run"), settings);
        started(() -> end(enqueuer));
        return enqueuer;
    }

    private void sayWhereToLook(
            SampleApp app, ContractService upstream, String adminUrl, TestDatabase database, TestKafka kafka) {
        out.println("""

                Everything runs. Create a user, and watch its job arrive below:
                  curl -X PUT '%1$s/users?email=ada@example.org'
                Let one fail after its job was staged, and see that nothing arrives:
                  curl -X PUT -H '%2$s: %3$s' '%1$s/users?email=bob@example.org'
                Complete an order, which creates its buyer; sent twice with one key, it happens once:
                  curl -X PUT  '%1$s/orders/o-1' -d '{"amountCents": 1250}'
                  curl -X POST '%1$s/orders/o-1/complete' -H 'Idempotency-Key: 1' -d '{"email": "cleo@example.org"}'
                Fetch a contract from another service and store it; then a list of them, of which C-3 does not exist:
                  curl -X POST '%1$s/contracts/C-1/aggregate'
                  curl -X POST '%1$s/contracts/aggregations' -d '{"ids": ["C-1", "C-2", "C-3"]}'
                Let that service fail, and see what is answered (also missing, silent, stalled, invalid; none ends it):
                  curl -X PUT '%13$s/trouble?path=/contracts/C-1/items&is=failing'
                Stage a job by SQL, in a transaction of your own:
                  psql 'postgresql://%4$s:%5$s@%6$s:%7$d/%8$s'
                  SELECT stage_job('%9$s', 'user.greeted', '{"hello": "world"}');

                Where to look:
                  service             %1$s, metrics at %1$s/metrics
                  audit               %1$s/audit: each user's action has its one record in Kafka, in order
                  enqueuer's metrics  %10$s/metrics
                  PostgreSQL          %11$s (%4$s / %5$s)
                  Kafka               %12$s, topics %14$s

                Ctrl-C ends everything.
                """.formatted(
                        app.url(),
                        UserApi.FAIL_HEADER,
                        UserApi.AFTER_STAGING,
                        database.username(),
                        database.password(),
                        database.host(),
                        database.port(),
                        database.name(),
                        Topics.DEFAULT.users(),
                        adminUrl,
                        database.url(),
                        kafka.bootstrapServers(),
                        upstream.url(),
                        String.join(", ", new TreeSet<>(Topics.DEFAULT.all()))));
    }

    /** @return false, if it returns at all: the enqueuer has ended by itself */
    private boolean waitForCtrlC(SampleApp app, ChildProcess enqueuer) throws InterruptedException {
        // The testkit ends its servers and children together with this JVM; the service is ours to stop.
        Runtime.getRuntime().addShutdownHook(new Thread(app::close, "demo-stop"));
        while (enqueuer.isRunning()) {
            Thread.sleep(LOOK_EVERY.toMillis());
        }
        out.println("The enqueuer has ended, which it should not. It said:");
        enqueuer.output().forEach(out::println);
        return false;
    }

    /** @throws IllegalStateException with what the command said, if it fails or does not end in time */
    private void runToItsEnd(String command, Map<String, String> settings, Duration timeout) {
        try (ChildProcess child = ChildProcess.start(command, command(command), settings)) {
            int exitCode = child.awaitExit(timeout);
            if (exitCode != 0) {
                throw new IllegalStateException("staged-jobs " + command + " ended with exit code " + exitCode + ":\n  "
                        + String.join("\n  ", child.output()));
            }
        }
    }

    private static void end(ChildProcess enqueuer) {
        try (enqueuer) {
            if (enqueuer.isRunning()) {
                enqueuer.terminate();
                enqueuer.awaitExit(STOP_MAX);
            }
        }
    }

    private List<String> command(String command) {
        return List.of(launcher.toString(), command);
    }

    private int port(int preferred) {
        return !byItself && isFree(preferred) ? preferred : ANY_PORT;
    }

    private static boolean isFree(int port) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            return true;
        } catch (IOException taken) {
            return false;
        }
    }

    private <T extends AutoCloseable> T started(T service) {
        running.push(service);
        return service;
    }

    /** Stops what runs, the newest first, all of it even if something does not stop cleanly. */
    @Override
    public void close() {
        while (!running.isEmpty()) {
            try {
                running.pop().close();
            } catch (Exception | AssertionError e) {
                System.err.println("demo: could not stop cleanly: " + e);
            }
        }
    }

    /** Prints the jobs that arrive: all of them, or only the first few of a story that has hundreds. */
    private static final class Arrivals implements Consumer<String> {
        private static final int STORY_MAX = 3;

        private final PrintStream out;
        private final long linesMax;
        private long lines;

        Arrivals(PrintStream out, boolean story) {
            this.out = out;
            this.linesMax = story ? STORY_MAX : Long.MAX_VALUE;
        }

        /** Called by the printer's thread only. */
        @Override
        public void accept(String line) {
            lines++;
            if (lines <= linesMax) {
                out.println("  arrived: " + line);
            } else if (lines == linesMax + 1) {
                out.println("  arrived: ... and so on");
            }
        }
    }
}
