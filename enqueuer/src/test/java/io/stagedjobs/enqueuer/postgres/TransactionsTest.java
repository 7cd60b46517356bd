package io.stagedjobs.enqueuer.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;

class TransactionsTest {

    private final TestDatabase database = TestPostgres.shared().newDatabase("transactions");

    private HikariDataSource pool() {
        return new Database(database.url(), Optional.of(database.username()), () -> Optional.of(database.password()))
                .pool(1, Duration.ofSeconds(4), new SimpleMeterRegistry());
    }

    private static Transactions over(DataSource dataSource) {
        return new Transactions(dataSource, UUID.randomUUID(), Duration.ofSeconds(4));
    }

    private static String searchPath(Transactions transactions) {
        return transactions.call(
                "ask", dsl -> dsl.fetchSingle("SHOW search_path").get(0, String.class));
    }

    @Test
    void names_are_looked_for_in_pg_catalog_only_whoever_opened_the_connection() {
        try (HikariDataSource pool = pool()) {
            assertThat(searchPath(over(pool))).isEqualTo("pg_catalog");
        }
        assertThat(searchPath(over(database.dataSource()))).isEqualTo("pg_catalog");
    }

    @Test
    void statements_stay_prepared_from_one_transaction_to_the_next() {
        try (HikariDataSource pool = pool()) {
            Transactions transactions = over(pool);
            for (int i = 0; i < 20; i++) {
                transactions.call("count", dsl -> dsl.fetch("SELECT 1 + ?::int AS counted", 1));
            }
            long runs = transactions.call("ask", dsl -> dsl.fetchSingle("SELECT max(generic_plans + custom_plans)"
                            + " FROM pg_prepared_statements WHERE statement LIKE '%AS counted%'"
                            + " AND statement NOT LIKE '%pg_prepared%'")
                    .get(0, long.class));
            assertThat(runs).isGreaterThan(10);
        }
    }
}
