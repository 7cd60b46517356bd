package io.stagedjobs.enqueuer.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Optional;
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

    private static int process(HikariDataSource pool) throws SQLException {
        try (Connection connection = pool.getConnection();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT pg_backend_pid()")) {
            row.next();
            return row.getInt(1);
        }
    }
}
