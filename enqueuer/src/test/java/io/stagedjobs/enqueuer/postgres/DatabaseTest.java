package io.stagedjobs.enqueuer.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class DatabaseTest {

    @Test
    void a_connection_on_which_the_server_refuses_to_write_leaves_the_pool() throws SQLException {
        TestDatabase there = TestPostgres.shared().newDatabase("pool");
        Database database =
                new Database(there.url(), Optional.of(there.username()), () -> Optional.of(there.password()));
        try (HikariDataSource pool = database.pool(1, Duration.ofSeconds(4), new SimpleMeterRegistry())) {
            int before = process(pool);
            assertThat(process(pool)).as("the only connection is used again").isEqualTo(before);
            try (Connection connection = pool.getConnection();
                    Statement statement = connection.createStatement()) {
                statement.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
                connection.commit();
                assertThatThrownBy(() -> statement.execute("CREATE TABLE refused (n int)"))
                        .isInstanceOfSatisfying(SQLException.class, e -> assertThat(e.getSQLState())
                                .isEqualTo("25006"));
            }
            assertThat(process(pool)).isNotEqualTo(before);
        }
    }

    @Test
    void a_database_that_only_reads_by_default_is_told_so_and_not_as_a_missing_primary() throws SQLException {
        TestDatabase there = TestPostgres.shared().newDatabase("readonly");
        try (Connection connection = there.connect();
                Statement statement = connection.createStatement()) {
            statement.execute("ALTER DATABASE " + there.name() + " SET default_transaction_read_only = on");
        }
        Database database =
                new Database(there.url(), Optional.of(there.username()), () -> Optional.of(there.password()));
        assertThatThrownBy(() -> {
                    try (Connection connection = database.connect()) {
                        assertThat(connection.isReadOnly())
                                .as("no connection is made")
                                .isTrue();
                    }
                })
                .isInstanceOf(ExternalFailureException.class)
                .hasMessageContainingAll(
                        "default_transaction_read_only is on", there.name(), "RESET", "25006", "Nothing was changed")
                .hasMessageNotContaining("primary");
    }

    @Test
    void a_pool_without_connections_says_what_the_last_attempt_met_and_not_that_it_has_none() {
        Database nobody = new Database("jdbc:postgresql://127.0.0.1:1/nowhere", Optional.empty(), Optional::empty);
        try (HikariDataSource pool = nobody.pool(1, Duration.ofSeconds(4), new SimpleMeterRegistry())) {
            Transactions transactions = new Transactions(pool, UUID.randomUUID(), Duration.ofSeconds(4));
            assertThatThrownBy(transactions::begin)
                    .isInstanceOf(ExternalFailureException.class)
                    .hasMessageContainingAll(
                            "could not open a transaction (SQLSTATE 08001)",
                            "Connection to 127.0.0.1:1 refused",
                            " s now)")
                    .hasMessageNotContaining("request timed out");
        }
    }

    private static int process(HikariDataSource pool) throws SQLException {
        try (Connection connection = pool.getConnection();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT pg_backend_pid()")) {
            row.next();
            return row.getInt(1);
        }
    }
}
