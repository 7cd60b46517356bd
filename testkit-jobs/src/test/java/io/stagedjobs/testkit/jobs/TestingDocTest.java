package io.stagedjobs.testkit.jobs;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.DocumentedCode;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import javax.sql.DataSource;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The examples of docs/testing.md. A region from {@code // testing:…} to {@code // end} stands there word for word. */
class TestingDocTest {

    private static final Path DOCUMENT = Path.of("../docs/testing.md");
    private static final Path THIS = Path.of("src/test/java/io/stagedjobs/testkit/jobs/TestingDocTest.java");
    private static final TestKafka KAFKA = TestKafka.shared();
    private static final String TOPIC = KAFKA.newTopic("users", 1);

    private static TestTables tables;

    private final DataSource dataSource = tables.dataSource;
    private final Users users = new Users(UnitOfWork.on(dataSource));
    private final StagedJobs stagedJobs = new StagedJobs();

    /** What is tested. */
    private record Users(UnitOfWork unit) {
        void create(String email) {
            unit.run(work -> {
                work.dsl().execute("INSERT INTO users (email) VALUES (?)", email);
                work.stage(userCreated(email));
            });
        }
    }

    private static StagedJob userCreated(String email) {
        return StagedJob.builder(TOPIC, "user.created")
                .key(email)
                .json(Map.of("email", email))
                .build();
    }

    @BeforeAll
    static void install() {
        tables = new TestTables("testing");
        tables.dsl.execute("CREATE TABLE users (email text PRIMARY KEY)");
    }

    @BeforeEach
    void clear() {
        tables.clear();
        tables.dsl.execute("DELETE FROM users");
    }

    @Test
    void servers_are_shared_and_databases_and_topics_are_not() throws SQLException {
        // testing:servers
        TestDatabase database = TestPostgres.shared().newDatabase("shop");
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.migrate(connection);
        }
        String topic = TestKafka.shared().newTopic("users");
        // end
        assertThat(JobTables.in(database.dataSource()).staged()).hasNoJobs();
        assertThat(topic).isNotEqualTo(TestKafka.shared().newTopic("users"));
    }

    @Test
    void what_was_staged_is_asserted() {
        // testing:staged
        JobTables jobs = JobTables.in(dataSource);
        users.create("ann@example.com");
        assertThat(jobs.staged())
                .hasJobs(1)
                .hasJob("user.created")
                .withKey("ann@example.com")
                .withJson("{\"email\": \"ann@example.com\"}");
        // end
    }

    @Test
    void an_open_transaction_is_looked_into() throws SQLException {
        // testing:open
        try (Connection connection = dataSource.getConnection()) {
            connection.setAutoCommit(false);
            stagedJobs.stage(connection, userCreated("ann@example.com"));
            assertThat(JobTables.in(connection).staged()).hasJob("user.created");
            connection.rollback();
        }
        assertThat(JobTables.in(dataSource).staged()).hasNoJobs();
        // end
    }

    @Test
    void a_failure_says_what_was_staged_as_the_document_shows_it() {
        users.create("ann@example.com");
        assertThatThrownBy(() ->
                        assertThat(tables.jobs.staged()).hasJob("user.created").withKey("bob@example.com"))
                .hasMessage(DocumentedCode.blocks(DOCUMENT, "text").get(0).replace("topic users", "topic " + TOPIC));
    }

    @Test
    void what_was_committed_is_published() {
        String url = tables.database.url();
        String username = tables.database.username();
        String password = tables.database.password();
        String bootstrapServers = KAFKA.bootstrapServers();
        // testing:drain
        TestEnqueuer enqueuer = TestEnqueuer.from(url, username, password).to(bootstrapServers);
        users.create("ann@example.com");
        assertThat(enqueuer.drain()).isEqualTo(1);
        // end
        assertThat(KAFKA.readAll(List.of(TOPIC)))
                .extracting(record -> new String(record.key(), UTF_8))
                .containsExactly("ann@example.com");
    }

    @Test
    void a_commit_that_fails_stores_nothing() {
        // testing:failure
        try (ArmedFailure armed = Failure.atCommit().arm(dataSource)) {
            assertThatThrownBy(() -> users.create("ann@example.com"));
        }
        assertThat(JobTables.in(dataSource).staged()).hasNoJobs();
        // end
        assertThat(tables.dsl.fetch("SELECT FROM users")).isEmpty();
    }

    @Test
    void a_conflict_is_answered_by_another_attempt() {
        // testing:conflict
        try (ArmedFailure armed = Failure.atCommit().asConflict().times(2).arm(dataSource)) {
            users.create("ann@example.com");
            assertThat(armed.happened()).isEqualTo(2);
        }
        assertThat(JobTables.in(dataSource).staged()).hasJobs("user.created");
        // end
    }

    @Test
    void the_document_shows_these_examples_word_for_word_and_no_others() {
        assertThat(DocumentedCode.blocks(DOCUMENT, "java"))
                .containsExactlyElementsOf(DocumentedCode.regions(THIS, "testing"));
    }
}
