package io.stagedjobs.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoIT {

    private static final Path LAUNCHER = Path.of("..", "daemon", "target", "staged-jobs", "bin", "staged-jobs")
            .toAbsolutePath();
    private static final Duration STARTS_WITHIN = Duration.ofMinutes(2);
    private static final Duration ENDS_WITHIN = Duration.ofMinutes(4);

    private final HttpClient http = HttpClient.newHttpClient();

    @Test
    void plays_its_story_audits_it_and_exits_with_0() {
        try (ChildProcess demo = demo(LAUNCHER.toString())) {
            assertThat(demo.awaitExit(ENDS_WITHIN))
                    .as("the demo said %s", demo.output())
                    .isZero();
            assertThat(demo.stdout())
                    .anyMatch(line -> line.matches(" +requests +275 sent.*"))
                    .anyMatch(line -> line.matches(" +committed +241 transactions.*"))
                    .anyMatch(line -> line.matches(" +rolled back +30 transactions.*"))
                    .anyMatch(line -> line.matches(" +published +241 records.*"))
                    .anyMatch(line -> line.matches(" +consumed +241 jobs.*"))
                    .anyMatch(line -> line.matches(" +lag +\\d+ ms median, .* of the 100 jobs before the kill"))
                    .anyMatch(line -> line.matches(" +recovery +\\d+ ms at most, .* killed enqueuer left behind"))
                    .anyMatch(line -> line.matches(" +audit +PASSED.*"));
        }
    }

    @Test
    void exits_with_1_if_an_enqueuer_only_claims_to_have_published(@TempDir Path directory) throws IOException {
        Path liar = directory.resolve("staged-jobs");
        Files.writeString(liar, """
                #!/bin/sh
                case $1 in
                    migrate) exec '%s' migrate ;;
                    run) echo 'admin on http://127.0.0.1:1/'; exec sleep 600 ;;
                    drain) echo 'published 241 jobs' ;;
                esac
                """.formatted(LAUNCHER));
        Files.setPosixFilePermissions(liar, PosixFilePermissions.fromString("rwx------"));
        try (ChildProcess demo = demo(liar.toString())) {
            assertThat(demo.awaitExit(ENDS_WITHIN)).isEqualTo(1);
            assertThat(demo.stdout())
                    .anyMatch(line -> line.matches(" +audit +FAILED: 241 actions stored, 0 rec.*241 lost.*"));
        }
    }

    @Test
    void without_the_enqueuer_it_starts_nothing_and_says_how_to_build_it() {
        try (ChildProcess demo = demo("/nowhere/staged-jobs")) {
            assertThat(demo.awaitExit(ENDS_WITHIN)).isEqualTo(1);
            assertThat(demo.stderr())
                    .singleElement()
                    .asString()
                    .contains("cannot find")
                    .contains("mvn -q -Pdemo");
        }
    }

    @Test
    void what_it_tells_people_to_do_passes_its_audit_and_a_typo_in_a_topic_is_told() throws Exception {
        try (ChildProcess demo = interactive()) {
            String service = told(demo, " +service +(http://\\S+), .*");
            ask("PUT", service + "/users?email=ada@example.org");
            sql(demo, "SELECT stage_job('users', 'user.greeted', '{\"hello\": \"world\"}')");
            sql(demo, "SELECT stage_job('userz', 'user.greeted', '{\"hello\": \"world\"}')");

            demo.awaitLine(Pattern.compile("arrived: users .* user\\.created .*ada@example\\.org"), STARTS_WITHIN);
            demo.awaitLine(Pattern.compile("arrived: users .* user\\.greeted .*hello"), STARTS_WITHIN);
            demo.awaitLine(Pattern.compile("held: user\\.greeted for topic userz, reason "), STARTS_WITHIN);
            assertThat(ask("GET", service + "/audit")).contains("\"passed\":true", "1 of other names");
            assertThat(ask("GET", service + "/")).contains("PUT /users", "GET /audit");
        }
    }

    @Test
    void ends_at_once_if_its_postgresql_ends_and_says_so() throws Exception {
        try (ChildProcess demo = interactive()) {
            String pid = sql(demo, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)");

            new ProcessBuilder("kill", "-INT", pid).start().waitFor();

            assertThat(demo.awaitExit(Duration.ofSeconds(30))).isEqualTo(1);
            assertThat(demo.stderr()).anyMatch(line -> line.startsWith("demo: PostgreSQL has ended"));
        }
    }

    private static ChildProcess demo(String launcher) {
        return start("-Ddemo.exit", "-Ddemo.launcher=" + launcher);
    }

    private static ChildProcess start(String... options) {
        return ChildJvm.start(
                "demo",
                Demo.class,
                Stream.concat(Stream.of("-Xmx512m", "-Dlogback.configurationFile=logback-demo.xml"), Stream.of(options))
                        .toList(),
                List.of(),
                Map.of());
    }

    /** One that runs until it is ended. */
    private static ChildProcess interactive() {
        ChildProcess demo = start("-Ddemo.exit=false", "-Ddemo.launcher=" + LAUNCHER);
        demo.awaitLine(Pattern.compile("Ctrl-C ends everything"), STARTS_WITHIN);
        return demo;
    }

    /** What the demo has printed in place of the pattern's group. */
    private static String told(ChildProcess demo, String line) {
        return demo.stdout().stream()
                .filter(printed -> printed.matches(line))
                .findFirst()
                .orElseThrow()
                .replaceFirst(line, "$1");
    }

    private static String sql(ChildProcess demo, String statement) throws SQLException {
        String url = told(demo, " +PostgreSQL +(jdbc:\\S+) .*");
        String username = told(demo, " +PostgreSQL .*\\((\\S+) / .*");
        String password = told(demo, " +PostgreSQL .* / (\\S+)\\).*");
        try (Connection connection = DriverManager.getConnection(url, username, password);
                ResultSet row = connection.createStatement().executeQuery(statement)) {
            row.next();
            return row.getString(1);
        }
    }

    private String ask(String method, String url) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
                .method(method, BodyPublishers.noBody())
                .build();
        return http.send(request, BodyHandlers.ofString()).body();
    }
}
