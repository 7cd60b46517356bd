package io.stagedjobs.testkit.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.AttemptsExhaustedException;
import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.StagingFailedException;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import org.jooq.exception.DataAccessException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FailureTest {

    private static TestTables tables;

    private final UnitOfWork unit = UnitOfWork.on(tables.dataSource);

    @BeforeAll
    static void install() {
        tables = new TestTables("failure");
        tables.dsl.execute("CREATE TABLE users (email text)");
    }

    @BeforeEach
    void clear() {
        tables.clear();
        tables.dsl.execute("DELETE FROM users");
    }

    @AfterEach
    void nothing_of_a_failure_stays_in_the_database() {
        assertThat(tables.dsl.fetch("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'staged_jobs_failure%'"
                        + " UNION SELECT proname FROM pg_proc WHERE proname LIKE 'staged_jobs_failure%'"
                        + " UNION SELECT relname FROM pg_class WHERE relname LIKE 'staged_jobs_failure%'"))
                .isEmpty();
    }

    private static StagedJob job(String name) {
        return StagedJob.builder("users", name).build();
    }

    private void create(String email) {
        unit.run(work -> {
            work.dsl().execute("INSERT INTO users VALUES (?)", email);
            work.stage(job(email));
            work.stage(job(email));
        });
    }

    private static long users() {
        return tables.dsl.fetchCount(org.jooq.impl.DSL.table("users"));
    }

    @Test
    void the_next_staging_fails_and_the_one_after_it_works() {
        try (ArmedFailure armed = Failure.whenStaging().arm(tables.dataSource)) {
            assertThatThrownBy(() -> create("ann"))
                    .isInstanceOf(StagingFailedException.class)
                    .hasMessageContainingAll("SQLSTATE P0001", "a test has this staging fail");
            assertThat(users()).isZero();
            create("bob");
            assertThat(armed.happened()).isEqualTo(1);
        }
        assertThat(tables.jobs.staged()).hasJobs("bob", "bob");
        assertThat(users()).isEqualTo(1);
    }

    @Test
    void the_next_commit_that_stages_fails_and_stores_nothing() {
        try (ArmedFailure armed = Failure.atCommit().arm(tables.dataSource)) {
            unit.run(work -> work.dsl().execute("INSERT INTO users VALUES ('stages nothing')"));
            assertThat(armed.happened()).isZero();
            assertThatThrownBy(() -> create("ann"))
                    .isInstanceOf(DataAccessException.class)
                    .rootCause()
                    .hasMessageContaining("a test has this commit fail");
            assertThat(armed.happened()).isEqualTo(1);
            assertThat(users()).isEqualTo(1);
            create("bob");
        }
        assertThat(tables.jobs.staged()).hasJobs("bob", "bob");
    }

    @Test
    void staging_itself_works_where_the_commit_fails() throws SQLException {
        try (ArmedFailure armed = Failure.atCommit().withSqlState("53100").arm(tables.dataSource);
                Connection connection = tables.database.connect()) {
            connection.setAutoCommit(false);
            new StagedJobs().stage(connection, job("ann"));
            assertThat(JobTables.in(connection).staged()).hasJobs("ann");
            assertThatThrownBy(connection::commit)
                    .isInstanceOfSatisfying(
                            SQLException.class, e -> assertThat(e.getSQLState()).isEqualTo("53100"));
            assertThat(armed.happened()).isEqualTo(1);
        }
        assertThat(tables.jobs.staged()).hasNoJobs();
    }

    @Test
    void a_conflict_that_happens_twice_is_over_in_a_units_third_attempt() {
        for (Failure failure : new Failure[] {Failure.whenStaging(), Failure.atCommit()}) {
            try (ArmedFailure armed = failure.asConflict().times(2).arm(tables.dataSource)) {
                assertThat(unit.<Integer, RuntimeException>call(work -> {
                            work.stage(job("conflict"));
                            return work.attempt();
                        }))
                        .isEqualTo(3);
                assertThat(armed.happened()).isEqualTo(2);
            }
        }
        assertThat(tables.jobs.staged()).hasJobs("conflict", "conflict");
    }

    @Test
    void a_conflict_that_happens_too_often_exhausts_a_unit() {
        try (ArmedFailure armed = Failure.atCommit().asConflict().times(5).arm(tables.dataSource)) {
            assertThatThrownBy(() -> create("ann")).isInstanceOf(AttemptsExhaustedException.class);
            assertThat(armed.happened()).isEqualTo(5);
        }
        assertThat(tables.jobs.staged()).hasNoJobs();
    }

    @Test
    void who_closes_it_before_it_happened_has_disarmed_it() {
        Failure.whenStaging().arm(tables.dataSource).close();
        create("ann");
        assertThat(users()).isEqualTo(1);
    }

    @Test
    void a_transaction_that_stays_open_keeps_it_from_being_removed_but_not_from_being_disarmed() throws SQLException {
        ArmedFailure armed = Failure.atCommit().times(2).arm(shortOfPatience());
        try (Connection open = tables.database.connect()) {
            open.setAutoCommit(false);
            new StagedJobs().stage(open, job("ann"));
            assertThatThrownBy(armed::close)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContainingAll("could not remove trigger", "It is disarmed", "End the transactions");
            open.commit();
        }
        assertThat(tables.jobs.staged()).hasJobs("ann");
        armed.close();
    }

    /** Its statements are cancelled long before the lock is given up. */
    private static javax.sql.DataSource shortOfPatience() {
        var source = (org.postgresql.ds.PGSimpleDataSource) tables.database.dataSource();
        source.setOptions("-c statement_timeout=500");
        return source;
    }

    @Test
    void it_fails_for_a_role_that_may_only_stage_and_in_the_schema_it_was_armed_for() throws SQLException {
        Schema shop = Schema.named("Shop's");
        tables.dsl.connection(shop::migrate);
        String role = "stager_" + tables.database.name();
        tables.dsl.execute("CREATE ROLE \"" + role + "\" LOGIN PASSWORD 'secret'");
        tables.dsl.execute("GRANT USAGE ON SCHEMA \"Shop's\" TO \"" + role + "\"");
        tables.dsl.execute(
                "GRANT INSERT (topic, job_name) ON " + shop.qualified("staged_jobs") + " TO \"" + role + "\"");
        try (ArmedFailure armed = Failure.whenStaging().inSchema(shop).arm(tables.dataSource)) {
            create("in another schema");
            try (Connection connection = DriverManager.getConnection(tables.database.url(), role, "secret")) {
                assertThatThrownBy(() -> connection
                                .createStatement()
                                .execute("INSERT INTO \"Shop's\".staged_jobs (topic, job_name) VALUES ('t', 'n')"))
                        .hasMessageContaining("a test has this staging fail");
            }
            assertThat(armed.happened()).isEqualTo(1);
        } finally {
            tables.dsl.execute("DROP OWNED BY \"" + role + "\"");
            tables.dsl.execute("DROP ROLE \"" + role + "\"");
        }
        assertThat(tables.jobs.staged()).hasJobs(2);
    }

    @Test
    void what_is_no_failure_is_refused() {
        for (String wrong : new String[] {"00000", "4000", "40O0!", "40001'"}) {
            assertThatThrownBy(() -> Failure.atCommit().withSqlState(wrong))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(wrong);
        }
        assertThatThrownBy(() -> Failure.atCommit().times(0)).hasMessage("times must be at least 1, not 0");
    }
}
