package io.stagedjobs;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.idempotency.IdempotencyKeys;
import io.stagedjobs.idempotency.Request;
import io.stagedjobs.idempotency.Response;
import io.stagedjobs.testkit.DocumentedCode;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The examples of the README. A region from {@code // readme:…} to {@code // end} stands there word for word. */
class ReadmeTest {

    private static final Path README = Path.of("../README.md");
    private static final Path THIS = Path.of("src/test/java/io/stagedjobs/ReadmeTest.java");

    private static SchemaFixture fixture;

    private final DSLContext dsl = fixture.dsl();
    private final DataSource dataSource = fixture.database.dataSource();
    private final String email = "ann@example.com";

    record UserCreated(String email) {}

    // readme:job
    StagedJob userCreated(String email) {
        return StagedJob.builder("users", "user.created")
                .key(email)
                .json(new UserCreated(email))
                .build();
    }
    // end

    @BeforeAll
    static void install() {
        fixture = new SchemaFixture("readme");
        fixture.dsl().execute("CREATE TABLE users (email text PRIMARY KEY, name text)");
    }

    @BeforeEach
    void clear() {
        fixture.clear();
        dsl.execute("DELETE FROM users");
    }

    @Test
    void a_job_is_staged_in_a_transaction_of_jooq() {
        // readme:jooq
        StagedJobs stagedJobs = new StagedJobs();
        dsl.transaction(transaction -> {
            transaction.dsl().execute("INSERT INTO users (email) VALUES (?)", email);
            stagedJobs.stage(transaction.dsl(), userCreated(email));
        });
        // end
        assertStored("user.created");
    }

    @Test
    void a_job_is_staged_in_a_transaction_of_jdbc() throws SQLException {
        StagedJobs stagedJobs = new StagedJobs();
        // readme:jdbc
        try (Connection connection = dataSource.getConnection()) {
            connection.setAutoCommit(false);
            insertUser(connection, email); // your own statements
            stagedJobs.stage(connection, userCreated(email));
            connection.commit();
        }
        // end
        assertStored("user.created");
    }

    private static void insertUser(Connection connection, String email) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO users (email) VALUES (?)")) {
            insert.setString(1, email);
            insert.executeUpdate();
        }
    }

    @Test
    void a_job_is_staged_by_a_unit_of_work() {
        // readme:unit
        UnitOfWork unit = UnitOfWork.on(dataSource).isolation(Isolation.SERIALIZABLE);
        unit.run(work -> {
            work.dsl().execute("INSERT INTO users (email) VALUES (?)", email);
            work.stage(userCreated(email));
        });
        // end
        assertStored("user.created");
    }

    private interface Directory {
        String nameOf(String email) throws IOException;
    }

    @Test
    void what_is_expensive_is_fetched_before_the_unit() throws IOException {
        Directory directory = address -> "Ann";
        UnitOfWork unit = UnitOfWork.on(dataSource);
        // readme:fetch
        UnitOfWork.requireNoneOpen(); // refuses to call inside another unit
        String name = directory.nameOf(email);
        unit.run(work -> {
            int inserted = work.dsl()
                    .execute("INSERT INTO users (email, name) VALUES (?, ?) ON CONFLICT DO NOTHING", email, name);
            if (inserted == 1) {
                work.stage(userCreated(email));
            }
        });
        // end
        assertStored("user.created");
    }

    @Test
    void a_request_that_comes_again_gets_the_first_answer() {
        UnitOfWork unit = UnitOfWork.on(dataSource);
        String client = "client 7";
        String idempotencyKey = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        byte[] body = email.getBytes(UTF_8);
        for (boolean replayed : new boolean[] {false, true}) {
            // readme:keys
            IdempotencyKeys keys = IdempotencyKeys.on(unit);
            Response response = keys.answer(Request.of(client, idempotencyKey, "POST", "/users", body), work -> {
                work.dsl().execute("INSERT INTO users (email) VALUES (?)", email);
                work.stage(userCreated(email));
                return Response.of(201, "{\"email\": \"" + email + "\"}");
            });
            // end
            assertThat(response.replayed()).isEqualTo(replayed);
        }
        assertStored("user.created");
    }

    @Test
    void a_job_is_staged_by_plain_sql() throws SQLException {
        try (Connection connection = dataSource.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute(DocumentedCode.blocks(README, "sql").get(0));
        }
        assertStored("user.seen", "user.created");
    }

    @Test
    void the_readme_shows_these_examples_word_for_word() {
        assertThat(DocumentedCode.regions(THIS, "readme")).hasSize(6).isSubsetOf(DocumentedCode.blocks(README, "java"));
    }

    private void assertStored(String... jobs) {
        assertThat(dsl.fetchCount(org.jooq.impl.DSL.table("users"))).isEqualTo(1);
        assertThat(fixture.namesStaged()).containsExactly(jobs);
    }
}
