package io.stagedjobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.zaxxer.hikari.HikariDataSource;
import io.stagedjobs.schema.Schema;
import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jooq.impl.DataSourceConnectionProvider;
import org.jooq.impl.DefaultConfiguration;
import org.jooq.impl.DefaultTransactionProvider;
import org.jooq.impl.ThreadLocalTransactionProvider;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Savepoints in a unit of work, and units in a unit: a part that rolls back takes its rows and its jobs with it. */
class NestedUnitsTest {

    private static SchemaFixture fixture;
    private static HikariDataSource one;

    @BeforeAll
    static void install() {
        fixture = new SchemaFixture("nested");
        fixture.dsl().execute("CREATE TABLE entries (name text PRIMARY KEY)");
        one = fixture.pool(1);
    }

    @AfterAll
    static void close() {
        one.close();
    }

    @BeforeEach
    void clear() {
        fixture.clear();
        fixture.dsl().execute("DELETE FROM entries");
    }

    private static StagedJob job(String name) {
        return StagedJob.builder("entries", name).key("k").build();
    }

    private static void enter(Work work, String name) {
        work.dsl().execute("INSERT INTO entries VALUES (?)", name);
        work.stage(job(name));
    }

    private static List<String> entries() {
        return fixture.dsl().fetch("SELECT name FROM entries").getValues(0, String.class);
    }

    private static void assertStoredInOrder(String... names) {
        assertThat(entries()).containsExactlyInAnyOrder(names);
        assertThat(fixture.namesStaged()).containsExactly(names);
        assertThat(one.getHikariPoolMXBean().getActiveConnections()).isZero();
    }

    private static IllegalStateException no() {
        return new IllegalStateException("the business says no");
    }

    @Test
    void a_job_staged_in_a_nested_transaction_that_rolls_back_is_not_published() {
        UnitOfWork.on(one).run(work -> {
            enter(work, "before");
            assertThatThrownBy(() -> work.dsl().transaction(nested -> {
                        nested.dsl().execute("INSERT INTO entries VALUES ('never')");
                        work.stage(job("never"));
                        throw no();
                    }))
                    .hasMessageContaining("the business says no");
            enter(work, "after");
        });
        assertStoredInOrder("before", "after");
    }

    @Test
    void jobs_of_nested_transactions_that_succeed_keep_the_order_in_which_they_were_staged() {
        UnitOfWork.on(one).run(work -> {
            enter(work, "1");
            work.dsl().transaction(nested -> {
                enter(work, "2");
                nested.dsl().transaction(deeper -> enter(work, "3"));
                enter(work, "4");
            });
            enter(work, "5");
        });
        assertStoredInOrder("1", "2", "3", "4", "5");
    }

    @Test
    void an_outer_savepoint_that_rolls_back_takes_the_inner_ones_jobs_with_it() {
        UnitOfWork.on(one).run(work -> {
            enter(work, "before");
            assertThat(catchThrowable(() -> work.dsl().transaction(nested -> {
                        enter(work, "outer");
                        nested.dsl().transaction(deeper -> enter(work, "inner"));
                        throw no();
                    })))
                    .isNotNull();
        });
        assertStoredInOrder("before");
    }

    @Test
    void a_statement_that_fails_in_a_nested_transaction_costs_only_that_part() {
        UnitOfWork.on(one).run(work -> {
            enter(work, "before");
            for (String name : List.of("a", "before", "b")) {
                catchThrowable(() -> work.dsl().transaction(nested -> {
                    work.stage(job(name + ".job"));
                    nested.dsl().execute("INSERT INTO entries VALUES (?)", name);
                }));
            }
        });
        assertThat(entries()).containsExactlyInAnyOrder("before", "a", "b");
        assertThat(fixture.namesStaged()).containsExactly("before", "a.job", "b.job");
    }

    @Test
    void jobs_of_savepoints_set_by_jdbc_share_their_fate() throws SQLException {
        UnitOfWork.on(one).run(work -> {
            enter(work, "before");
            Connection jdbc = work.connection();
            Savepoint taken = jdbc.setSavepoint();
            enter(work, "never");
            jdbc.rollback(taken);
            Savepoint named = jdbc.setSavepoint("kept");
            enter(work, "kept");
            jdbc.releaseSavepoint(named);
            work.dsl().connection(connection -> {
                Savepoint undone = connection.setSavepoint();
                enter(work, "neither");
                connection.rollback(undone);
                enter(work, "again");
                connection.rollback(undone);
            });
        });
        assertStoredInOrder("before", "kept");
    }

    /** jOOQ's own provider would end the transaction here, give the connection back and go on with another one. */
    @Test
    void nothing_of_a_unit_is_stored_apart_when_a_nested_transaction_cannot_begin() {
        assertThatThrownBy(() -> UnitOfWork.on(one).run(work -> {
                    enter(work, "before");
                    catchThrowable(() -> work.dsl().execute("SELECT 1/0"));
                    for (String name : List.of("a", "b", "c")) {
                        catchThrowable(() -> work.dsl().transaction(nested -> enter(work, name)));
                    }
                }))
                .hasMessageContaining("current transaction is aborted");
        assertStoredInOrder();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "COMMIT",
                " rollback",
                "SAVEPOINT s",
                "ROLLBACK TO SAVEPOINT s",
                "release s",
                "BEGIN",
                "START TRANSACTION",
                "END",
                "ABORT",
                "PREPARE TRANSACTION 'x'"
            })
    void only_the_unit_ends_its_transaction(String statement) {
        assertThatThrownBy(() -> UnitOfWork.on(one).run(work -> {
                    enter(work, "never");
                    work.dsl().execute(statement);
                }))
                .hasMessageContainingAll("cannot run", "the unit");
        assertStoredInOrder();
    }

    private interface Use {
        void of(Connection connection) throws SQLException;
    }

    @Test
    void only_the_unit_ends_its_transaction_by_jdbc_too() {
        List<Use> uses = List.of(
                Connection::commit,
                Connection::rollback,
                Connection::close,
                connection -> connection.setAutoCommit(true));
        for (Use use : uses) {
            assertThatThrownBy(() -> UnitOfWork.on(one).run(work -> {
                        enter(work, "never");
                        use.of(work.connection());
                    }))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContainingAll("cannot", "the unit");
            assertStoredInOrder();
        }
    }

    @Test
    void a_unit_in_a_unit_joins_it_and_they_are_stored_together() {
        UnitOfWork unit = UnitOfWork.on(one);
        int result = unit.<Integer, RuntimeException>call(outer -> {
            enter(outer, "1");
            int inner = UnitOfWork.on(one).<Integer, RuntimeException>call(work -> {
                enter(work, "2");
                enter(outer, "3");
                return 42;
            });
            assertThat(entries()).isEmpty();
            enter(outer, "4");
            return inner;
        });
        assertThat(result).isEqualTo(42);
        assertStoredInOrder("1", "2", "3", "4");
    }

    @Test
    void a_joined_unit_that_fails_takes_back_its_own_part_and_tells_as_it_was_thrown() {
        IOException failure = new IOException("upstream");
        UnitOfWork unit = UnitOfWork.on(one);
        unit.run(outer -> {
            enter(outer, "before");
            assertThatThrownBy(() -> unit.run(work -> {
                        enter(work, "never");
                        throw failure;
                    }))
                    .isSameAs(failure);
            enter(outer, "after");
        });
        assertStoredInOrder("before", "after");
    }

    @Test
    void a_joined_unit_is_rolled_back_with_the_outer_one() {
        UnitOfWork unit = UnitOfWork.on(one);
        assertThatThrownBy(() -> unit.run(outer -> {
                    unit.run(work -> enter(work, "never"));
                    throw no();
                }))
                .hasMessage("the business says no");
        assertStoredInOrder();
    }

    @Test
    void an_sql_error_that_a_joined_unit_swallowed_is_no_success_of_it() {
        UnitOfWork unit = UnitOfWork.on(one);
        unit.run(outer -> {
            enter(outer, "before");
            assertThatThrownBy(() -> unit.run(work -> {
                        enter(work, "never");
                        catchThrowable(() -> work.dsl().execute("SELECT 1/0"));
                    }))
                    .hasMessageContaining("current transaction is aborted");
        });
        assertStoredInOrder("before");
    }

    @Test
    void a_conflict_in_a_joined_unit_repeats_the_outer_one_as_a_whole() {
        UnitOfWork unit = UnitOfWork.on(one);
        AtomicInteger inner = new AtomicInteger();
        unit.run(outer -> {
            enter(outer, "outer." + outer.attempt());
            unit.run(work -> {
                inner.incrementAndGet();
                enter(work, "inner." + work.attempt());
                if (work.attempt() == 1) {
                    work.dsl().execute("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$");
                }
            });
        });
        assertThat(inner).hasValue(2);
        assertStoredInOrder("outer.2", "inner.2");
    }

    @Test
    void what_a_joined_unit_retries_repeats_the_outer_one_though_that_would_not() {
        UnitOfWork outer = UnitOfWork.on(one);
        UnitOfWork inner = outer.retryUniqueViolations();
        fixture.dsl().execute("INSERT INTO entries VALUES ('taken')");
        outer.run(work -> inner.run(part -> {
            if (part.attempt() == 1) {
                part.dsl().execute("INSERT INTO entries VALUES ('taken')");
            }
            part.stage(job("of.attempt." + part.attempt()));
        }));
        assertThat(fixture.namesStaged()).containsExactly("of.attempt.2");
    }

    @Test
    void a_unit_that_needs_a_stronger_isolation_than_the_outer_one_has_is_refused() {
        UnitOfWork unit = UnitOfWork.on(one);
        AtomicInteger runs = new AtomicInteger();
        Work.Block<RuntimeException> counts = work -> runs.incrementAndGet();
        unit.run(outer -> {
            enter(outer, "outer");
            assertThatThrownBy(() -> unit.isolation(Isolation.SERIALIZABLE).run(counts))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContainingAll("SERIALIZABLE", "READ COMMITTED", "outer unit");
            unit.isolation(Isolation.READ_COMMITTED).run(counts);
        });
        unit.isolation(Isolation.SERIALIZABLE)
                .run(outer -> unit.isolation(Isolation.REPEATABLE_READ).run(counts));
        assertThat(runs).hasValue(2);
        assertStoredInOrder("outer");
    }

    @Test
    void a_unit_on_the_outer_ones_jooq_joins_it_too() {
        UnitOfWork.on(one).run(outer -> {
            enter(outer, "outer");
            UnitOfWork.on(outer.dsl().configuration()).run(work -> enter(work, "inner"));
        });
        assertStoredInOrder("outer", "inner");
    }

    @Test
    void a_unit_on_another_data_source_is_a_unit_of_its_own() {
        try (HikariDataSource other = fixture.pool(1)) {
            assertThatThrownBy(() -> UnitOfWork.on(one).run(outer -> {
                        enter(outer, "never");
                        UnitOfWork.on(other).run(work -> enter(work, "other"));
                        throw no();
                    }))
                    .hasMessage("the business says no");
        }
        assertStoredInOrder("other");
    }

    @Test
    void a_joined_unit_that_stages_elsewhere_does_so_in_the_same_transaction() throws SQLException {
        Schema elsewhere = Schema.named("elsewhere");
        try (Connection connection = fixture.database.connect()) {
            elsewhere.migrate(connection);
        }
        UnitOfWork unit = UnitOfWork.on(one);
        unit.run(outer -> {
            outer.stage(job("1"));
            unit.staging(new StagedJobs(elsewhere)).run(work -> work.stage(job("2")));
            outer.stage(job("3"));
        });
        assertThat(fixture.namesStaged()).containsExactly("1", "3");
        assertThat(fixture.dsl()
                        .fetch("SELECT job_name FROM elsewhere.staged_jobs")
                        .getValues(0, String.class))
                .containsExactly("2");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void units_on_other_transaction_providers_of_jooq_nest_alike(boolean threadLocal) {
        DataSourceConnectionProvider connections = new DataSourceConnectionProvider(one);
        UnitOfWork unit = UnitOfWork.on(new DefaultConfiguration()
                .set(SQLDialect.POSTGRES)
                .set(connections)
                .set(
                        threadLocal
                                ? new ThreadLocalTransactionProvider(connections)
                                : new DefaultTransactionProvider(connections, false)));
        unit.run(outer -> {
            enter(outer, "before");
            catchThrowable(() -> outer.dsl().transaction(nested -> {
                enter(outer, "never");
                throw no();
            }));
            unit.run(work -> enter(work, "inner"));
        });
        assertStoredInOrder("before", "inner");
    }

    @Test
    void a_job_staged_after_its_unit_has_ended_is_refused_instead_of_lost() {
        AtomicReference<Work> kept = new AtomicReference<>();
        UnitOfWork.on(one).run(kept::set);
        assertThatThrownBy(() -> kept.get().stage(job("late")))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContainingAll("has ended", "not staged");
        assertThatThrownBy(() -> kept.get().dsl().execute("SELECT 1")).hasMessageContaining("has ended");
    }

    @Test
    void a_job_staged_by_another_thread_is_refused() {
        UnitOfWork.on(one).run(work -> {
            assertThatThrownBy(() -> CompletableFuture.runAsync(() -> work.stage(job("other thread")))
                            .join())
                    .isInstanceOf(CompletionException.class)
                    .hasMessageContaining("thread");
            enter(work, "own thread");
        });
        assertStoredInOrder("own thread");
    }

    @Test
    void a_failed_unit_leaves_its_thread_free_for_the_next_one() {
        assertThat(catchThrowable(() -> UnitOfWork.on(one).run(work -> {
                    throw new StackOverflowError("deep");
                })))
                .isInstanceOf(StackOverflowError.class);
        assertThat(catchThrowable(
                        () -> UnitOfWork.on(one).run(work -> work.dsl().execute("SELECT 1/0"))))
                .isInstanceOf(DataAccessException.class);
        UnitOfWork.on(one).isolation(Isolation.SERIALIZABLE).run(work -> enter(work, "next"));
        assertThat(DSL.using(one, SQLDialect.POSTGRES).fetchCount(DSL.table("entries")))
                .isEqualTo(1);
        assertStoredInOrder("next");
    }
}
