package io.stagedjobs.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TestPostgresTest {

    private static final Duration LONG = Duration.ofSeconds(60);
    private static final String INVALID_PASSWORD = "28P01";
    private static final String UNDEFINED_TABLE = "42P01";

    @Test
    void the_shared_server_is_a_postgresql_18_that_serves_each_test_a_database_of_its_own() throws SQLException {
        TestDatabase one = TestPostgres.shared().newDatabase("one");
        TestDatabase other = TestPostgres.shared().newDatabase("one");

        execute(one, "CREATE TABLE notes (text text)");

        assertThat(query(one, "SELECT current_setting('server_version_num')::int / 10000"))
                .isEqualTo("18");
        assertThat(query(one, "SELECT current_database()")).isEqualTo(one.name());
        assertThat(other.name()).isNotEqualTo(one.name());
        assertThatThrownBy(() -> query(other, "SELECT count(*) FROM notes"))
                .isInstanceOfSatisfying(
                        SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo(UNDEFINED_TABLE));
    }

    @Test
    void a_data_source_connects_as_the_owner() throws SQLException {
        TestDatabase database = TestPostgres.shared().newDatabase("source");
        try (Connection connection = database.dataSource().getConnection()) {
            assertThat(connection.getMetaData().getUserName()).isEqualTo(database.username());
            assertThat(connection.getCatalog()).isEqualTo(database.name());
        }
    }

    @Test
    void the_shared_server_cannot_be_stopped_by_one_of_its_tests() {
        assertThatThrownBy(TestPostgres.shared()::stop)
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessageContaining("startEmbedded()");
    }

    @Test
    void an_existing_server_is_reached_by_its_url_and_given_databases_of_its_own() throws SQLException {
        TestPostgres shared = TestPostgres.shared();
        TestDatabase first = shared.newDatabase("existing");
        String url = first.url() + "?user=nobody&ApplicationName=kept";

        TestPostgres existing = TestPostgres.existing(url, shared.username(), shared.password());
        TestDatabase second = existing.newDatabase("existing");

        assertThat(second.url())
                .contains("/" + second.name() + "?ApplicationName=kept")
                .doesNotContain("nobody");
        assertThat(query(second, "SELECT current_database()")).isEqualTo(second.name());
        assertThat(query(second, "SELECT current_setting('application_name')")).isEqualTo("kept");
    }

    @Test
    void an_existing_server_that_is_not_there_is_an_error() {
        String url = "jdbc:postgresql://127.0.0.1:" + FreePort.find() + "/postgres";
        assertThatThrownBy(() -> TestPostgres.existing(url, "postgres", "x"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining(url);
    }

    @Test
    void an_embedded_server_refuses_wrong_passwords_and_keeps_its_data_across_a_stop_and_an_immediate_stop()
            throws SQLException {
        try (TestPostgres postgres = TestPostgres.startEmbedded(Map.of("work_mem", "7MB"))) {
            TestDatabase database = postgres.newDatabase("kept");
            execute(database, "CREATE TABLE notes (text text)");

            assertThatThrownBy(() -> database.connectAs(database.username(), "wrong"))
                    .isInstanceOfSatisfying(
                            SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo(INVALID_PASSWORD));
            assertThat(query(database, "SHOW work_mem")).isEqualTo("7MB");
            assertThat(query(database, "SHOW fsync")).isEqualTo("on");

            execute(database, "INSERT INTO notes VALUES ('before a stop')");
            postgres.stop();
            assertThatThrownBy(database::connect).isInstanceOf(SQLException.class);
            postgres.startAgain();

            execute(database, "INSERT INTO notes VALUES ('before an immediate stop')");
            postgres.stopImmediately();
            postgres.startAgain();

            assertThat(postgres.log()).anyMatch(line -> line.contains("automatic recovery in progress"));
            assertThat(query(database, "SELECT string_agg(text, ', ' ORDER BY text) FROM notes"))
                    .isEqualTo("before a stop, before an immediate stop");
        }
    }

    @Test
    void a_server_that_does_not_start_says_why() {
        assertThatThrownBy(() -> TestPostgres.startEmbedded(Map.of("no_such_setting", "1")))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("no_such_setting");
    }

    /** Starts a server and stays, until it is killed. */
    static final class Parent {
        public static void main(String[] args) throws IOException, InterruptedException {
            TestPostgres postgres = TestPostgres.startEmbedded();
            System.out.println("data in " + postgres.dataDirectory());
            System.out.println("pid "
                    + Files.readAllLines(postgres.dataDirectory().resolve("postmaster.pid"))
                            .get(0));
            Thread.currentThread().join();
        }
    }

    @Test
    void an_embedded_server_ends_with_the_jvm_that_started_it_even_if_that_is_killed() {
        try (ChildProcess parent = ChildJvm.start("parent", Parent.class)) {
            String pid = parent.awaitLine(line -> line.startsWith("pid "), LONG).substring("pid ".length());
            ProcessHandle server = ProcessHandle.of(Long.parseLong(pid)).orElseThrow();
            parent.kill();
            assertThat(server.onExit()).succeedsWithin(LONG);
        }
    }

    private static void execute(TestDatabase database, String sql) throws SQLException {
        try (Connection connection = database.connect();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static String query(TestDatabase database, String sql) throws SQLException {
        try (Connection connection = database.connect();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }
}
