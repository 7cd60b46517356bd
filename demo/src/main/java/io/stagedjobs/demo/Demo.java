package io.stagedjobs.demo;

import io.javalin.http.Context;
import io.javalin.http.HandlerType;
import io.javalin.http.ServiceUnavailableResponse;
import io.stagedjobs.sample.Route;
import io.stagedjobs.sample.SampleApp;
import io.stagedjobs.sample.SampleSettings;
import io.stagedjobs.sample.Topics;
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
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.common.KafkaException;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/**
 * Everything on one machine, with nothing to install: PostgreSQL, Kafka, the enqueuer as a separate process, the sample
 * service and its consumers.
 *
 * <p>System properties: {@value #LAUNCHER} is the enqueuer's launcher; with {@value #EXIT} (any value but {@code
 * false}) the demo plays {@link DemoStory} and ends, with exit code 0 only if everything went as expected. Otherwise it
 * prints where to look, and runs until Ctrl-C. If one of its processes ends by itself, the demo names it and ends with
 * exit code 1.
 */
public final class Demo implements AutoCloseable {

    private static final String LAUNCHER = "demo.launcher";
    private static final String EXIT = "demo.exit";

    private static final int SERVICE_PORT = 8080;
    private static final int ADMIN_PORT = 8089;
    private static final int ANY_PORT = 0;
    private static final int LINES_OF_STORY = 3;
    private static final int WORDS_MAX = 5;

    private static final Duration START_MAX = Duration.ofMinutes(1);
    private static final Duration STOP_MAX = Duration.ofSeconds(30);

    /** Longer than the enqueuer's own patience, so that it reports its error before we give up. */
    private static final Duration DRAIN_MAX = Duration.ofMinutes(3);

    private static final Duration LOOK_EVERY = Duration.ofMillis(500);
    private static final Pattern STARTED = Pattern.compile("admin on (http://\\S+?)/");

    private final Path launcher;
    private final boolean byItself;
    private final PrintStream out = System.out;

    /** The running parts, the newest first: they are stopped in this order. */
    private final Deque<AutoCloseable> running = new ArrayDeque<>();

    /** The processes by name; the demo cannot go on without any of them. */
    private final Map<String, ChildProcess> processes = new ConcurrentHashMap<>();

    private Demo(Path launcher, boolean byItself) {
        this.launcher = launcher;
        this.byItself = byItself;
    }

    /** Runs the demo; see the class. */
    @SuppressWarnings("CatchAndPrintStackTrace") // a demo has no other place for an unexpected error
    public static void main(String[] args) {
        String exit = System.getProperty(EXIT);
        Path launcher = Path.of(System.getProperty(LAUNCHER, "daemon/target/staged-jobs/bin/staged-jobs"));
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

    /** Ctrl-C reaches every process of a terminal; a signal only to Maven would leave the demo running. */
    private static void endWithParent() {
        var unused =
                ProcessHandle.current().parent().map(parent -> parent.onExit().thenRun(() -> System.exit(1)));
    }

    private boolean run() throws InterruptedException {
        out.println("Starting PostgreSQL, Kafka, the enqueuer and the sample service ...");
        TestPostgres postgres = started(TestPostgres.startEmbedded());
        TestKafka kafka = started(TestKafka.startEmbedded());
        processes.put("PostgreSQL", postgres.process());
        processes.put("Kafka", kafka.process());
        Thread watch = new Thread(this::watch, "demo-watch");
        watch.setDaemon(true);
        watch.start();
        started(watch::interrupt);

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
        SampleSettings settings = SampleSettings.of(
                "--database-url=" + database.url(),
                "--database-username=" + database.username(),
                "--database-password=" + database.password(),
                "--kafka=" + kafka.bootstrapServers(),
                "--http-port=" + port(SERVICE_PORT),
                "--failures-allowed",
                "--contracts-url=" + upstream.url());
        Auditor auditor = new Auditor(database.dataSource(), kafka.bootstrapServers(), Topics.DEFAULT.users());
        Arrivals arrivals = new Arrivals(out, byItself ? LINES_OF_STORY : Long.MAX_VALUE);
        Route audit = new Route(
                HandlerType.GET,
                "/audit",
                "GET /audit",
                "compares each user's actions with their records in Kafka",
                ctx -> audit(auditor, ctx));
        SampleApp app = started(SampleApp.start(settings, Topics.DEFAULT, arrivals, List.of(audit)));

        ChildProcess enqueuer = startEnqueuer(enqueuerSettings);
        Matcher admin = STARTED.matcher(enqueuer.awaitLine(STARTED, START_MAX));
        String adminUrl = admin.find() ? admin.group(1) : "";

        if (byItself) {
            Runnable drain = () -> runToItsEnd("drain", enqueuerSettings, DRAIN_MAX);
            Runnable crash = () -> {
                processes.remove("the enqueuer");
                enqueuer.kill();
                startEnqueuer(enqueuerSettings);
            };
            return new DemoStory(app.url(), database, auditor, arrivals, crash, drain, out).play();
        }
        sayWhereToLook(app, upstream, adminUrl, database, kafka);
        Thread prompt = new Thread(new SqlPrompt(database, System.in, out), "demo-sql");
        prompt.setDaemon(true);
        prompt.start();
        // The testkit ends its servers and children together with this JVM; this stops the rest.
        Runtime.getRuntime()
                .addShutdownHook(new Thread(
                        () -> {
                            watch.interrupt();
                            app.close();
                        },
                        "demo-stop"));
        tellWhatIsHeld(database);
        return false;
    }

    private static void audit(Auditor auditor, Context ctx) {
        try {
            AuditReport report = auditor.audit();
            ctx.json(Map.of("passed", report.passed(), "summary", report.summary()));
        } catch (KafkaException | IllegalStateException e) {
            throw new ServiceUnavailableResponse(
                    "Could not read all records: " + e.getMessage() + ". Nothing was compared. Try again.");
        }
    }

    private ChildProcess startEnqueuer(Map<String, String> settings) {
        ChildProcess enqueuer = ChildProcess.start("enqueuer", command("run"), settings);
        started(() -> end(enqueuer));
        processes.put("the enqueuer", enqueuer);
        return enqueuer;
    }

    /** Ends the demo when one of its processes has ended by itself: the others could only report errors. */
    private void watch() {
        try {
            while (true) {
                Thread.sleep(LOOK_EVERY.toMillis());
                Optional<Map.Entry<String, ChildProcess>> ended = processes.entrySet().stream()
                        .filter(process -> !process.getValue().isRunning())
                        .findFirst();
                // The demo removes a process from the map before it ends it.
                if (ended.isPresent()
                        && processes.remove(ended.get().getKey(), ended.get().getValue())) {
                    List<String> words = ended.get().getValue().output();
                    System.err.println("demo: " + ended.get().getKey() + " has ended, which it should not."
                            + " Everything is being stopped. Its last words:\n  "
                            + String.join("\n  ", words.subList(Math.max(0, words.size() - WORDS_MAX), words.size())));
                    System.exit(1);
                }
            }
        } catch (InterruptedException end) {
            // The demo stops its processes itself.
        }
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
                  curl -X PUT '%12$s/trouble?path=/contracts/C-1/items&is=failing'
                Stage a job by SQL; type it here, each line is a transaction. One for a topic that is missing is held:
                  SELECT stage_job('%8$s', 'user.greeted', '{"hello": "world"}');

                Where to look:
                  service             %1$s, metrics at %1$s/metrics
                  audit               %1$s/audit: each user's action has its one record in Kafka, in order
                  enqueuer's metrics  %9$s/metrics
                  PostgreSQL          %10$s (%4$s / %5$s), or psql 'postgresql://%4$s:%5$s@%6$s:%7$d/%13$s'
                  Kafka               %11$s, topics %14$s

                Ctrl-C ends everything.
                """.formatted(
                        app.url(),
                        DemoStory.FAIL_HEADER,
                        DemoStory.AFTER_STAGING,
                        database.username(),
                        database.password(),
                        database.host(),
                        database.port(),
                        Topics.DEFAULT.users(),
                        adminUrl,
                        database.url(),
                        kafka.bootstrapServers(),
                        upstream.url(),
                        database.name(),
                        String.join(", ", new TreeSet<>(Topics.DEFAULT.all()))));
    }

    /**
     * Reports each job that is moved aside, for instance because of a typo in its topic; returns only when interrupted.
     */
    private void tellWhatIsHeld(TestDatabase database) throws InterruptedException {
        Set<Long> told = new HashSet<>();
        while (true) {
            try {
                DSL.using(database.dataSource(), SQLDialect.POSTGRES)
                        .fetch("SELECT id, state, job_name, topic, reason FROM parked_jobs ORDER BY id")
                        .forEach(job -> {
                            if (told.add(job.get("id", Long.class))) {
                                out.println("  " + job.get("state") + ": " + job.get("job_name") + " for topic "
                                        + job.get("topic") + ", reason " + job.get("reason"));
                            }
                        });
            } catch (DataAccessException away) {
                // PostgreSQL has ended, which the watch reports, or is too busy, and is asked again.
            }
            Thread.sleep(LOOK_EVERY.toMillis());
        }
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

    /** Stops all parts, the newest first, even if one does not stop cleanly. */
    @Override
    public void close() {
        processes.clear();
        while (!running.isEmpty()) {
            try {
                running.pop().close();
            } catch (Exception | AssertionError e) {
                System.err.println("demo: could not stop cleanly: " + e);
            }
        }
    }
}
