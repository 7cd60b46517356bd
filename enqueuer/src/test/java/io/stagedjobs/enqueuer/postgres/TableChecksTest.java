package io.stagedjobs.enqueuer.postgres;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.UUID;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TableChecksTest {

    private static final Schema SCHEMA = Schema.named("Jobs of all");

    private TestDatabase database;
    private DSLContext dsl;

    @BeforeEach
    void install() throws SQLException {
        database = TestPostgres.shared().newDatabase("checks");
        dsl = DSL.using(database.dataSource(), SQLDialect.POSTGRES);
        try (Connection connection = database.connect()) {
            SCHEMA.migrate(connection);
        }
        dsl.execute("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
    }

    private void check() throws SQLException {
        try (Connection connection = database.connect()) {
            TableChecks.requireNothingInTheWay(connection, SCHEMA);
        }
    }

    @Test
    void tables_as_they_were_installed_are_fine_and_so_is_what_only_looks_on() throws SQLException {
        check();
        for (String statement : new String[] {
            "CREATE TRIGGER audit AFTER DELETE ON %s FOR EACH ROW EXECUTE FUNCTION nothing()",
            "CREATE TRIGGER count BEFORE DELETE ON %s FOR EACH STATEMENT EXECUTE FUNCTION nothing()",
            "CREATE TRIGGER off BEFORE DELETE ON %s FOR EACH ROW EXECUTE FUNCTION nothing()",
            "ALTER TABLE %s DISABLE TRIGGER off",
            "ALTER TABLE %s ENABLE ROW LEVEL SECURITY", // of the owner, whom it does not concern
        }) {
            dsl.execute(statement.formatted(SCHEMA.qualified("staged_jobs")));
        }
        check();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "CREATE RULE keep AS ON DELETE TO %s DO INSTEAD NOTHING | rule keep on",
                "CREATE TRIGGER keep BEFORE DELETE ON %s FOR EACH ROW EXECUTE FUNCTION nothing() | trigger keep on",
                "CREATE TRIGGER lose BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION nothing() | trigger lose on",
            })
    void what_can_keep_a_row_or_lose_it_is_refused_by_name(String statement, String found) {
        for (String table : new String[] {"staged_jobs", "parked_jobs"}) {
            dsl.execute(statement.formatted(SCHEMA.qualified(table)));
            assertThatThrownBy(this::check)
                    .isInstanceOf(ExternalFailureException.class)
                    .hasMessageContainingAll(found, table, "Nothing was changed");
            dsl.execute("DROP " + found.replace(" on", " ON ") + SCHEMA.qualified(table));
        }
    }

    @Test
    void row_level_security_that_applies_to_the_role_is_refused() throws SQLException {
        String role = "secured_" + UUID.randomUUID().toString().replace("-", "");
        dsl.execute("CREATE ROLE " + role + " LOGIN PASSWORD 'secret'");
        try {
            dsl.execute("GRANT USAGE ON SCHEMA \"Jobs of all\" TO " + role);
            dsl.execute("GRANT ALL ON ALL TABLES IN SCHEMA \"Jobs of all\" TO " + role);
            dsl.execute("ALTER TABLE " + SCHEMA.qualified("staged_jobs") + " ENABLE ROW LEVEL SECURITY");
            try (Connection connection = database.connectAs(role, "secret")) {
                assertThatThrownBy(() -> TableChecks.requireNothingInTheWay(connection, SCHEMA))
                        .isInstanceOf(ExternalFailureException.class)
                        .hasMessageContainingAll("row-level security of staged_jobs", role, "BYPASSRLS");
                dsl.execute("ALTER ROLE " + role + " BYPASSRLS");
            }
            try (Connection connection = database.connectAs(role, "secret")) {
                assertThatCode(() -> TableChecks.requireNothingInTheWay(connection, SCHEMA))
                        .doesNotThrowAnyException();
            }
        } finally {
            dsl.execute("DROP OWNED BY " + role);
            dsl.execute("DROP ROLE " + role);
        }
    }
}
