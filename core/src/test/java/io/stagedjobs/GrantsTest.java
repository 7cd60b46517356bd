package io.stagedjobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.idempotency.IdempotencyKeys;
import io.stagedjobs.idempotency.Request;
import io.stagedjobs.idempotency.Response;
import io.stagedjobs.schema.Schema;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.postgresql.ds.PGSimpleDataSource;

/** An application with exactly the grants of docs/operations.md. */
class GrantsTest {

    private static final String ROLE = "app_" + UUID.randomUUID().toString().replace("-", "");
    private static SchemaFixture fixture;

    @BeforeAll
    static void grant() throws IOException {
        fixture = new SchemaFixture("grants");
        fixture.dsl().execute("CREATE ROLE " + ROLE + " LOGIN PASSWORD 'secret'");
        fixture.dsl().execute("REVOKE EXECUTE ON FUNCTION staged_jobs_before_insert() FROM PUBLIC");
        String manual = Files.readString(Path.of("../docs/operations.md"));
        for (String name : new String[] {"application", "idempotency"}) {
            Matcher block = Pattern.compile("```sql grants-" + name + "\\n(.*?)```", Pattern.DOTALL)
                    .matcher(manual);
            assertThat(block.find()).isTrue();
            for (String grant : block.group(1).replace("app_role", ROLE).split(";\\s*")) {
                fixture.dsl().execute(grant);
            }
        }
    }

    @AfterAll
    static void dropRole() {
        fixture.dsl().execute("DROP OWNED BY " + ROLE);
        fixture.dsl().execute("DROP ROLE " + ROLE);
    }

    private static Connection connect() throws SQLException {
        Connection connection = fixture.database.connectAs(ROLE, "secret");
        connection.setAutoCommit(false);
        return connection;
    }

    @Test
    void an_application_stages_by_library_by_insert_and_by_function() throws SQLException {
        try (Connection connection = connect()) {
            Schema.PUBLIC.requireCurrent(connection);
            new StagedJobs()
                    .stage(connection, StagedJob.builder("t", "by.library").build());
            var dsl = DSL.using(connection, SQLDialect.POSTGRES);
            dsl.execute("INSERT INTO public.staged_jobs (topic, job_name, payload) VALUES ('t', 'by.insert', 'x')");
            assertThat(dsl.fetchSingle(
                                    "SELECT public.stage_job('t', 'by.function', '{\"a\": 1}', 'k', '{\"h\": \"v\"}')")
                            .get(0, UUID.class))
                    .isNotNull();
            connection.commit();
        }
        assertThat(fixture.namesStaged()).containsExactly("by.library", "by.insert", "by.function");
    }

    @Test
    void it_answers_requests_with_idempotency_keys_and_prunes_them() {
        PGSimpleDataSource source = new PGSimpleDataSource();
        source.setUrl(fixture.database.url());
        source.setUser(ROLE);
        source.setPassword("secret");
        IdempotencyKeys keys = IdempotencyKeys.on(UnitOfWork.on(source));
        Request request = new Request("client", "key", "fingerprint");
        assertThat(keys.answer(request, work -> Response.of(201, "first")).replayed())
                .isFalse();
        assertThat(keys.answer(request, work -> Response.of(201, "second")).replayed())
                .isTrue();
        assertThat(keys.prune(Duration.ZERO)).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "SELECT * FROM public.staged_jobs",
                "SELECT count(*) FROM public.staged_jobs",
                "DELETE FROM public.staged_jobs",
                "UPDATE public.staged_jobs SET topic = 'x'",
                "INSERT INTO public.staged_jobs (id, topic, job_name) OVERRIDING SYSTEM VALUE VALUES (1, 't', 'n')",
                "SELECT setval('public.staged_jobs_id_seq', 1)",
                "SELECT * FROM public.staged_job_lanes",
                "UPDATE public.staged_job_lanes SET owner = NULL",
                "SELECT * FROM public.staged_job_enqueuers",
                "TRUNCATE public.staged_jobs",
                "UPDATE public.staged_job_idempotency_keys SET fingerprint = 'x'",
                "INSERT INTO public.staged_job_idempotency_keys (scope, idempotency_key, fingerprint, created_at)"
                        + " VALUES ('s', 'k', 'f', now())",
            })
    void it_can_do_nothing_else(String statement) throws SQLException {
        try (Connection connection = connect()) {
            assertThatThrownBy(() -> DSL.using(connection, SQLDialect.POSTGRES).execute(statement))
                    .hasMessageContaining("permission denied");
        }
    }
}
