package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.Tools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher that the build leaves, run as an operator runs it. */
class LauncherIT {

    private static final Path LAUNCHER = Path.of("target/staged-jobs/bin/staged-jobs");

    /** The virtual machine's, not ours. */
    private static final int EXIT_CODE_WITHOUT_MEMORY = 3;

    private static final String STARTS_SOONER = "-XX:TieredStopAtLevel=1";

    private TestOutbox outbox;
    private Map<String, String> environment;

    @BeforeEach
    void open() {
        outbox = new TestOutbox("launcher");
        environment = Command.environment(outbox);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private ChildProcess start(String... args) {
        List<String> command = new java.util.ArrayList<>(List.of(LAUNCHER.toString()));
        command.addAll(List.of(args));
        return outbox.keep(ChildProcess.start("launcher", command, environment));
    }

    @Test
    void it_answers_on_stdout_and_explains_on_stderr() {
        ChildProcess version = start("--version");
        assertThat(version.awaitExit(Duration.ofSeconds(60))).isZero();
        assertThat(version.stdout()).singleElement().asString().startsWith("staged-jobs 0.");
        assertThat(version.stderr()).isEmpty();

        environment.put("STAGED_JOBS_BATCH_SIZ", "1");
        ChildProcess wrong = start("status");
        assertThat(wrong.awaitExit(Duration.ofSeconds(60))).isEqualTo(2);
        assertThat(wrong.stdout()).isEmpty();
        assertThat(wrong.stderr())
                .singleElement()
                .asString()
                .isEqualTo("status: unknown setting STAGED_JOBS_BATCH_SIZ. The nearest known one is"
                        + " STAGED_JOBS_BATCH_SIZE.");
    }

    @Test
    void on_a_terminal_it_knows_that_a_person_watches() {
        environment.put("TERM", "xterm");
        environment.put("NO_COLOR", "");
        List<String> command = List.of(Tools.require("script").toString(), "-qec", LAUNCHER + " --help", "/dev/null");
        ChildProcess watched = outbox.keep(ChildProcess.start("terminal", command, environment));
        assertThat(watched.awaitExit(Duration.ofSeconds(60))).isZero();
        assertThat(watched.stdout()).anyMatch(line -> line.contains("\u001b[1mstaged-jobs"));
        ChildProcess piped = start("--help");
        assertThat(piped.awaitExit(Duration.ofSeconds(60))).isZero();
        assertThat(piped.stdout()).isNotEmpty().noneMatch(line -> line.contains("\u001b"));
    }

    @Test
    void it_runs_with_json_logs_and_a_small_heap_until_sigterm() throws Exception {
        String topic = outbox.kafka.newTopic("launcher");
        outbox.stage(topic, "k", "job");
        environment.put("STAGED_JOBS_LOG_FORMAT", "json");
        environment.put("STAGED_JOBS_JAVA_OPTS", "-Xmx128m");
        ChildProcess daemon = start("run");
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        daemon.terminate();
        assertThat(daemon.awaitExit(Duration.ofSeconds(30))).isZero();
        assertThat(outbox.namesIn(topic)).containsExactly("job");
        assertThat(daemon.stdout()).isEmpty();
        assertThat(daemon.stderr())
                .isNotEmpty()
                .allSatisfy(line -> assertThat(line).startsWith("{").endsWith("}"));
    }

    @Test
    void without_memory_it_ends_and_another_one_publishes_everything_once() throws Exception {
        int jobs = 40;
        String topic = outbox.kafka.newTopic("launcher");
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, n::text, n::text, convert_to(rpad('', 800000, md5(n::text)), 'UTF8')"
                                + " FROM generate_series(1, ?) AS seq (n) ORDER BY seq.n",
                        topic,
                        jobs);
        environment.put("STAGED_JOBS_DELIVERY", "exactly-once");
        environment.put("STAGED_JOBS_JAVA_OPTS", STARTS_SOONER);
        Map<String, String> reasonable = Map.copyOf(environment);
        environment.put("STAGED_JOBS_BATCH_BYTES", "256000000");
        environment.put("STAGED_JOBS_JAVA_OPTS", STARTS_SOONER + " -Xmx48m");
        ChildProcess without = start("run");
        assertThat(without.awaitExit(Duration.ofSeconds(60))).isEqualTo(EXIT_CODE_WITHOUT_MEMORY);
        assertThat(without.output())
                .anyMatch(line -> line.contains("enqueuer started"))
                .anyMatch(line -> line.contains("OutOfMemoryError"));

        environment = reasonable;
        start("run");
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        assertThat(outbox.namesIn(topic))
                .containsExactlyInAnyOrderElementsOf(IntStream.rangeClosed(1, jobs)
                        .mapToObj(Integer::toString)
                        .toList());
    }

    @Test
    void with_a_recorded_cache_it_reads_its_classes_from_there_and_without_one_that_fits_it_runs_all_the_same(
            @TempDir Path directory) throws Exception {
        Path release = directory.resolve("staged jobs");
        copy(LAUNCHER.getParent().getParent(), release);
        String launcher = release.resolve("bin/staged-jobs").toString();
        environment.put("STAGED_JOBS_JAVA_OPTS", "-Xlog:class+load:stderr");
        String ourClass = Cli.class.getName() + "$Version source: ";

        environment.put("STAGED_JOBS_CACHE", "record");
        assertThat(answers(launcher)).anyMatch(line -> line.contains(ourClass + "file:"));
        environment.remove("STAGED_JOBS_CACHE");
        assertThat(answers(launcher)).anyMatch(line -> line.contains("source: shared objects file (top)"));

        try (Stream<Path> recorded = Files.list(release.resolve("cache"))) {
            for (Path cache : recorded.toList()) {
                assertThat(cache.toFile().setWritable(true)).isTrue();
                Files.writeString(cache, "no cache");
            }
        }
        assertThat(answers(launcher)).noneMatch(line -> line.contains("source: shared objects file (top)"));
    }

    @Test
    void a_cache_that_cannot_be_recorded_is_refused_before_anything_starts() {
        environment.put("STAGED_JOBS_CACHE", "yes");
        ChildProcess wrong = start("run");
        assertThat(wrong.awaitExit(Duration.ofSeconds(60))).isEqualTo(2);
        assertThat(wrong.stderr())
                .containsExactly("staged-jobs: STAGED_JOBS_CACHE is neither record nor empty. Nothing was started.");
    }

    /** What the launcher says on stderr while it answers rightly on stdout. */
    private List<String> answers(String launcher) {
        ChildProcess version = outbox.keep(ChildProcess.start("launcher", List.of(launcher, "--version"), environment));
        assertThat(version.awaitExit(Duration.ofSeconds(60))).isZero();
        assertThat(version.stdout()).first().asString().startsWith("staged-jobs 0.");
        return version.stderr();
    }

    private static void copy(Path from, Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(from.relativize(file).toString()), StandardCopyOption.COPY_ATTRIBUTES);
            }
        }
    }

    @Test
    void the_archive_is_there() {
        assertThat(Path.of("target")).isDirectoryContaining("glob:**staged-jobs-*.tar.gz");
        assertThat(Files.isExecutable(LAUNCHER)).isTrue();
    }
}
