package io.stagedjobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.zaxxer.hikari.HikariDataSource;
import io.stagedjobs.testkit.AtOnce;
import java.io.IOException;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicInteger;
import org.jooq.SQLDialect;
import org.jooq.TransactionContext;
import org.jooq.TransactionListener;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.DefaultTransactionListener;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UnitOfWorkTest {

    private static SchemaFixture fixture;
    private static HikariDataSource one;
    private static HikariDataSource two;

    @BeforeAll
    static void install() {
        fixture = new SchemaFixture("unit");
        fixture.dsl().execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)");
        one = fixture.pool(1);
        two = fixture.pool(2);
    }

    @AfterAll
    static void close() {
        one.close();
        two.close();
    }

    @BeforeEach
    void clear() {
        fixture.clear();
        fixture.dsl().execute("DELETE FROM accounts");
        fixture.dsl().execute("INSERT INTO accounts VALUES (1, 0), (2, 0)");
    }

    private static StagedJob job(String name) {
        return StagedJob.builder("accounts", name).key("1").build();
    }

    private static int balance(int id) {
        return fixture.dsl()
                .fetchSingle("SELECT balance FROM accounts WHERE id = ?", id)
                .get(0, int.class);
    }

    /** Hikari hands the only connection out again, with the settings it had. */
    private static void theConnectionIsBack() {
        assertThat(UnitOfWork.on(one).<String, RuntimeException>call(work -> work.dsl()
                        .fetchSingle("SHOW transaction_isolation")
                        .get(0, String.class)))
                .isEqualTo("read committed");
        assertThat(one.getHikariPoolMXBean().getActiveConnections()).isZero();
    }

    @Test
    void rows_and_jobs_are_stored_together() {
        int result = UnitOfWork.on(one).<Integer, RuntimeException>call(work -> {
            work.dsl().execute("UPDATE accounts SET balance = 5 WHERE id = 1");
            work.stage(job("first"));
            work.stage(job("second"));
            return 42;
        });
        assertThat(result).isEqualTo(42);
        assertThat(balance(1)).isEqualTo(5);
        assertThat(fixture.namesStaged()).containsExactly("first", "second");
        theConnectionIsBack();
    }

    @Test
    void any_failure_rolls_back_everything_and_reaches_the_caller_as_it_was_thrown() {
        IOException failure = new IOException("upstream");
        assertThatThrownBy(() -> UnitOfWork.on(one).run(work -> {
                    work.dsl().execute("UPDATE accounts SET balance = 5 WHERE id = 1");
                    work.stage(job("never"));
                    throw failure;
                }))
                .isSameAs(failure);
        assertThat(balance(1)).isZero();
        assertThat(fixture.namesStaged()).isEmpty();
        theConnectionIsBack();
    }

    @Test
    void an_error_rolls_back_too() {
        assertThatThrownBy(() -> UnitOfWork.on(one).run(work -> {
                    work.dsl().execute("UPDATE accounts SET balance = 5 WHERE id = 1");
                    throw new StackOverflowError("deep");
                }))
                .isInstanceOf(StackOverflowError.class);
        assertThat(balance(1)).isZero();
        theConnectionIsBack();
    }

    @Test
    void a_job_that_the_table_refuses_rolls_back_the_rows() {
        assertThatThrownBy(() -> UnitOfWork.on(one).run(work -> {
                    work.dsl().execute("UPDATE accounts SET balance = 5 WHERE id = 1");
                    work.stage(StagedJob.builder("accounts", "big")
                            .payload(new byte[900_001])
                            .build());
                }))
                .isInstanceOf(JobRefusedException.class);
        assertThat(balance(1)).isZero();
        theConnectionIsBack();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void an_sql_error_that_the_block_swallowed_is_no_success(boolean stages) {
        assertThatThrownBy(() -> UnitOfWork.on(one).run(work -> {
                    work.dsl().execute("UPDATE accounts SET balance = 5 WHERE id = 1");
                    assertThat(catchThrowable(() -> work.dsl().execute("SELECT 1/0")))
                            .isNotNull();
                    if (stages) {
                        work.stage(job("never"));
                    }
                }))
                .hasMessageContaining("current transaction is aborted");
        assertThat(balance(1)).isZero();
        theConnectionIsBack();
    }

    @Test
    void the_connection_comes_back_when_its_server_process_died() {
        assertThatThrownBy(() -> UnitOfWork.on(one)
                        .run(work -> work.dsl().execute("SELECT pg_terminate_backend(pg_backend_pid())")))
                .isInstanceOf(DataAccessException.class);
        theConnectionIsBack();
    }

    @Test
    void a_connection_lost_in_the_commit_is_an_unknown_outcome_and_is_not_tried_again() {
        fixture.createTableThatDiesAtCommit("dies_at_commit");
        AtomicInteger runs = new AtomicInteger();
        assertThatThrownBy(() -> UnitOfWork.on(one).run(work -> {
                    runs.incrementAndGet();
                    work.dsl().execute("INSERT INTO dies_at_commit VALUES (1)");
                }))
                .isInstanceOf(CommitOutcomeUnknownException.class)
                .hasMessageContainingAll("the connection was lost during COMMIT", "Either all of it is stored");
        assertThat(runs).hasValue(1);
        theConnectionIsBack();
    }

    /** One that fails before COMMIT prevents it, one that fails after it does not. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_listener_of_jooq_that_fails_around_the_commit_is_an_unknown_outcome_and_not_told_as_a_lost_connection(
            boolean before) {
        IllegalStateException failure = new IllegalStateException("the cache is closed");
        TransactionListener listener = new DefaultTransactionListener() {
            @Override
            public void commitStart(TransactionContext context) {
                if (before) {
                    throw failure;
                }
            }

            @Override
            public void commitEnd(TransactionContext context) {
                throw failure;
            }
        };
        UnitOfWork unit = UnitOfWork.on(
                DSL.using(one, SQLDialect.POSTGRES).configuration().derive(listener));
        assertThatThrownBy(() -> unit.run(work -> work.dsl().execute("UPDATE accounts SET balance = 5 WHERE id = 1")))
                .isInstanceOf(CommitOutcomeUnknownException.class)
                .hasRootCause(failure)
                .hasMessageContainingAll("no answer of PostgreSQL", "the cache is closed", "Either all of it is stored")
                .hasMessageNotContaining("the connection was lost");
        assertThat(balance(1)).isEqualTo(before ? 0 : 5);
        theConnectionIsBack();
    }

    @Test
    void the_isolation_asked_for_is_the_one_that_the_block_gets() {
        for (Isolation isolation : Isolation.values()) {
            assertThat(UnitOfWork.on(one).isolation(isolation).<String, RuntimeException>call(work -> work.dsl()
                            .fetchSingle("SHOW transaction_isolation")
                            .get(0, String.class)))
                    .isEqualToIgnoringCase(isolation.name().replace('_', ' '));
            theConnectionIsBack();
        }
    }

    /** Two units read both accounts and write one each: serializable lets only one of them commit at first. */
    @Test
    void a_serialization_failure_is_retried_until_both_are_stored() throws Exception {
        CyclicBarrier bothHaveRead = new CyclicBarrier(2);
        AtomicInteger runs = new AtomicInteger();
        UnitOfWork unit = UnitOfWork.on(two).isolation(Isolation.SERIALIZABLE);
        bothAtOnce(id -> unit.run(work -> {
            runs.incrementAndGet();
            int sum =
                    work.dsl().fetchSingle("SELECT sum(balance) FROM accounts").get(0, int.class);
            if (work.attempt() == 1) {
                bothHaveRead.await();
            }
            work.dsl().execute("UPDATE accounts SET balance = ? WHERE id = ?", sum + 1, id);
            work.stage(job("sum." + (sum + 1)));
        }));
        assertThat(List.of(balance(1), balance(2))).containsExactlyInAnyOrder(1, 2);
        assertThat(fixture.namesStaged()).containsExactlyInAnyOrder("sum.1", "sum.2");
        assertThat(runs.get()).isGreaterThan(2);
    }

    @Test
    void a_deadlock_is_retried() throws Exception {
        CyclicBarrier bothHoldOne = new CyclicBarrier(2);
        AtomicInteger runs = new AtomicInteger();
        bothAtOnce(id -> UnitOfWork.on(two).run(work -> {
            runs.incrementAndGet();
            work.dsl().execute("UPDATE accounts SET balance = balance + 1 WHERE id = ?", id);
            if (work.attempt() == 1) {
                bothHoldOne.await();
            }
            work.dsl().execute("UPDATE accounts SET balance = balance + 1 WHERE id = ?", 3 - id);
        }));
        assertThat(List.of(balance(1), balance(2))).containsExactly(2, 2);
        // One more at least: the one that was rolled back may be back before the other has both rows.
        assertThat(runs).hasValueGreaterThan(2);
    }

    private static void bothAtOnce(AtOnce.Task ofAccount) throws Exception {
        AtOnce.run(2, i -> ofAccount.run(i + 1));
    }

    @Test
    void a_unique_violation_passes_through_at_once_unless_its_retry_was_asked_for() {
        AtomicInteger runs = new AtomicInteger();
        Work.Block<RuntimeException> block = work -> {
            runs.incrementAndGet();
            work.dsl().execute("INSERT INTO accounts VALUES (1, 9)");
        };
        assertThatThrownBy(() -> UnitOfWork.on(one).run(block)).isInstanceOf(DataAccessException.class);
        assertThat(runs).hasValue(1);

        assertThatThrownBy(() -> UnitOfWork.on(one)
                        .retryUniqueViolations()
                        .attemptsMax(3)
                        .run(block))
                .isInstanceOf(AttemptsExhaustedException.class);
        assertThat(runs).hasValue(4);
    }

    @Test
    void exhausted_attempts_tell_how_many_and_keep_every_failure() {
        Throwable exhausted =
                catchThrowable(() -> UnitOfWork.on(one).attemptsMax(3).run(work -> work.dsl()
                        .execute("DO $$ BEGIN RAISE EXCEPTION 'attempt' USING ERRCODE = '40001'; END $$")));
        assertThat(exhausted)
                .isInstanceOf(AttemptsExhaustedException.class)
                .hasMessageContainingAll("3 attempt(s)", "40001", "Everything was rolled back");
        assertThat(((AttemptsExhaustedException) exhausted).attempts()).isEqualTo(3);
        assertThat(exhausted.getCause()).isInstanceOf(DataAccessException.class);
        assertThat(exhausted.getSuppressed()).hasSize(2).allSatisfy(earlier -> assertThat(earlier)
                .isInstanceOf(DataAccessException.class));
        theConnectionIsBack();
    }

    @Test
    void a_conflict_of_an_only_attempt_is_exhausted_too() {
        assertThatThrownBy(() -> UnitOfWork.on(one).attemptsMax(1).run(work -> work.dsl()
                        .execute("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$")))
                .isInstanceOf(AttemptsExhaustedException.class)
                .hasNoSuppressedExceptions();
    }

    @Test
    void an_interrupted_thread_stops_retrying_and_stays_interrupted() {
        AtomicInteger runs = new AtomicInteger();
        assertThatThrownBy(() -> UnitOfWork.on(one).run(work -> {
                    runs.incrementAndGet();
                    Thread.currentThread().interrupt();
                    throw new DataAccessException("conflict", new java.sql.SQLException("conflict", "40001"));
                }))
                .isInstanceOf(AttemptsExhaustedException.class);
        assertThat(Thread.interrupted()).isTrue();
        assertThat(runs).hasValue(1);
    }

    @Test
    void a_job_of_an_attempt_that_failed_is_not_staged_by_the_next_one() {
        UnitOfWork.on(one).run(work -> {
            work.stage(job("of.attempt." + work.attempt()));
            if (work.attempt() == 1) {
                work.dsl().execute("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$");
            }
        });
        assertThat(fixture.namesStaged()).containsExactly("of.attempt.2");
    }

    @Test
    void jdbc_inside_the_unit_shares_its_transaction() throws SQLException {
        UnitOfWork.on(one).run(work -> {
            try (var statement = work.connection().createStatement()) {
                statement.execute("UPDATE accounts SET balance = 7 WHERE id = 2");
            }
            assertThat(balance(2)).isZero();
        });
        assertThat(balance(2)).isEqualTo(7);
    }

    @Test
    void a_number_of_attempts_below_one_is_refused() {
        assertThatThrownBy(() -> UnitOfWork.on(one).attemptsMax(0)).isInstanceOf(IllegalArgumentException.class);
    }
}
