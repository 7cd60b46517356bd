package io.stagedjobs.faultkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.faultkit.FaultProxy.Direction;
import io.stagedjobs.faultkit.FaultProxy.Ending;
import io.stagedjobs.faultkit.FaultProxy.Loss;
import io.stagedjobs.faultkit.FaultProxy.Then;
import io.stagedjobs.faultkit.PostgresFaultProxy.Exchange;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class PostgresFaultProxyTest {

    private static final Duration SOON = Duration.ofSeconds(20);

    private TestDatabase database;
    private PostgresFaultProxy proxy;

    @BeforeEach
    void open() throws SQLException {
        database = TestPostgres.shared().newDatabase("proxied");
        proxy = PostgresFaultProxy.before(TestPostgres.shared());
        try (Connection connection = database.connect()) {
            run(connection, "CREATE TABLE t (n int)");
        }
    }

    @AfterEach
    void close() {
        proxy.close();
    }

    /** A client whose patience with a silent server is short, in a transaction. */
    private Connection client(String option) throws SQLException {
        TestDatabase through = proxy.through(database);
        Connection connection = DriverManager.getConnection(
                through.url() + "?socketTimeout=1&connectTimeout=2&" + option, through.username(), through.password());
        connection.setAutoCommit(false);
        return connection;
    }

    private Connection client() throws SQLException {
        return client("");
    }

    private static void run(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    private static void insert(Connection connection, int n) throws SQLException {
        try (var statement = connection.prepareStatement("INSERT INTO t VALUES (?)")) {
            statement.setInt(1, n);
            statement.executeUpdate();
        }
    }

    private long ask(String question) throws SQLException {
        try (Connection past = database.connect();
                Statement statement = past.createStatement();
                ResultSet answer = statement.executeQuery(question)) {
            answer.next();
            return answer.getLong(1);
        }
    }

    private long rows() throws SQLException {
        return ask("SELECT count(*) FROM t");
    }

    /** COMMIT as text, as an unnamed prepared statement, and as a named one. */
    @ParameterizedTest
    @ValueSource(strings = {"preferQueryMode=simple", "prepareThreshold=0", "prepareThreshold=1"})
    void a_lost_answer_to_commit_leaves_the_transaction_committed(String option) throws Exception {
        try (Connection connection = client(option)) {
            for (int n = 0; n < 10; n++) {
                insert(connection, n);
                connection.commit();
            }
            PlannedFault lost = proxy.lose(Loss.ANSWER, Exchange.commit(), 2, Then.SILENCE);
            insert(connection, 10);
            connection.commit();
            assertThat(lost.hasHappened()).isFalse();
            insert(connection, 11);
            assertThatThrownBy(connection::commit).hasRootCauseInstanceOf(SocketTimeoutException.class);
            lost.await(SOON);
            assertThat(rows()).isEqualTo(12);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"preferQueryMode=simple", "prepareThreshold=0", "prepareThreshold=1"})
    void a_lost_commit_never_reaches_the_server(String option) throws Exception {
        try (Connection connection = client(option)) {
            for (int n = 0; n < 10; n++) {
                insert(connection, n);
                connection.commit();
            }
            PlannedFault lost = proxy.lose(Loss.REQUEST, Exchange.commit(), 1, Then.CUT);
            insert(connection, 10);
            assertThatThrownBy(connection::commit)
                    .isInstanceOf(SQLException.class)
                    .satisfies(e -> assertThat(((SQLException) e).getSQLState()).startsWith("08"));
            lost.await(SOON);
            assertThat(rows()).isEqualTo(10);
        }
    }

    @Test
    void a_commit_can_be_chosen_by_what_its_transaction_has_done() throws Exception {
        PlannedFault lost = proxy.lose(Loss.ANSWER, Exchange.commitAfter(Pattern.compile("^DELETE")), 1, Then.CUT);
        try (Connection connection = client()) {
            insert(connection, 1);
            connection.commit();
            run(connection, "DELETE FROM t");
            connection.rollback();
            insert(connection, 2);
            connection.commit();
            assertThat(lost.hasHappened()).isFalse();
            run(connection, "DELETE FROM t");
            run(connection, "SELECT 1");
            assertThatThrownBy(connection::commit).isInstanceOf(SQLException.class);
            lost.await(SOON);
            assertThat(rows()).isZero();
        }
    }

    @Test
    void a_statement_is_told_of_when_it_was_forwarded() throws Exception {
        PlannedFault inserted = proxy.forwarded(Exchange.statement(Pattern.compile("INSERT INTO t")), 2);
        try (Connection connection = client()) {
            insert(connection, 1);
            assertThat(inserted.hasHappened()).isFalse();
            assertThatThrownBy(() -> inserted.await(Duration.ofMillis(1)))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("number 2");
            insert(connection, 2);
            inserted.await(SOON);
        }
    }

    @ParameterizedTest
    @EnumSource(Ending.class)
    void a_cut_ends_connections_and_refuses_new_ones_until_healed(Ending ending) throws Exception {
        try (Connection connection = client()) {
            insert(connection, 1);
            proxy.cut(ending);
            assertThatThrownBy(connection::commit)
                    .isInstanceOf(SQLException.class)
                    .satisfies(e -> assertThat(((SQLException) e).getSQLState()).startsWith("08"));
        }
        assertThatThrownBy(this::client).hasRootCauseInstanceOf(SocketException.class);
        proxy.heal();
        try (Connection connection = client()) {
            insert(connection, 2);
            connection.commit();
        }
        assertThat(rows()).isEqualTo(1);
    }

    @Test
    void a_stalled_connection_stays_silent_after_healing_and_new_ones_work() throws Exception {
        try (Connection idle = client();
                Connection busy = client("socketTimeout=3")) {
            proxy.stall();
            assertThatThrownBy(() -> insert(busy, 1)).hasRootCauseInstanceOf(SocketTimeoutException.class);
            assertThatThrownBy(this::client).hasRootCauseInstanceOf(SocketTimeoutException.class);
            assertThat(proxy.connectionsAccepted()).isGreaterThan(2);
            proxy.heal();
            insert(idle, 2);
            idle.commit();
            try (Connection fresh = client()) {
                insert(fresh, 3);
                fresh.commit();
            }
        }
        assertThat(rows()).isEqualTo(2);
    }

    @Test
    void where_only_answers_are_lost_the_server_does_what_it_is_asked() throws Exception {
        try (Connection connection = client()) {
            insert(connection, 1);
            proxy.stall(Direction.TO_CLIENT);
            assertThatThrownBy(connection::commit).hasRootCauseInstanceOf(SocketTimeoutException.class);
        }
        assertThat(rows()).isEqualTo(1);
    }

    @Test
    void the_server_learns_that_a_silent_connection_was_closed_when_the_network_is_healed() throws Exception {
        Connection connection = client("ApplicationName=silent");
        insert(connection, 1);
        proxy.stall();
        assertThatThrownBy(connection::commit).hasRootCauseInstanceOf(SocketTimeoutException.class);
        connection.close();
        String open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'silent' AND state = 'idle in"
                + " transaction'";
        assertThat(ask(open)).isEqualTo(1);
        proxy.heal();
        long deadline = System.nanoTime() + SOON.toNanos();
        while (ask(open) > 0) {
            assertThat(System.nanoTime()).isLessThan(deadline);
        }
        assertThat(rows()).isZero();
    }
}
