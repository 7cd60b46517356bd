package io.stagedjobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import io.stagedjobs.UnitOfWork.Isolation;
import io.stagedjobs.testkit.AtOnce;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicInteger;
import org.jooq.exception.DataAccessException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Expensive first, cheap last: an external call without a connection, then a short transaction. */
class FetchTest {

    private static SchemaFixture fixture;
    private static HikariDataSource pool;

    @BeforeAll
    static void install() {
        fixture = new SchemaFixture("fetch");
        fixture.dsl().execute("CREATE TABLE users (email text PRIMARY KEY, name text NOT NULL CHECK (name <> ''))");
        pool = fixture.pool(4);
    }

    @AfterAll
    static void close() {
        pool.close();
    }

    @BeforeEach
    void clear() {
        fixture.clear();
        fixture.dsl().execute("DELETE FROM users");
    }

    /** An external service that counts its calls. */
    private static final class Upstream {
        private final AtomicInteger calls = new AtomicInteger();

        String nameOf(String email) {
            calls.incrementAndGet();
            return "name of " + email;
        }
    }

    /** Harmless when repeated: the user is inserted once, and only whoever inserted it stages the job. */
    private static void store(Work work, String email, String name) {
        int inserted =
                work.dsl().execute("INSERT INTO users VALUES (?, ?) ON CONFLICT (email) DO NOTHING", email, name);
        if (inserted == 1) {
            work.stage(StagedJob.builder("users", "user.created").key(email).build());
        }
    }

    private static List<String> emails() {
        return fixture.dsl().fetch("SELECT email FROM users").getValues(0, String.class);
    }

    private static void assertNothingIsStored() {
        assertThat(emails()).isEmpty();
        assertThat(fixture.namesStaged()).isEmpty();
    }

    @Test
    void what_was_fetched_is_stored_with_its_job() {
        Upstream upstream = new Upstream();
        String stored = UnitOfWork.on(pool).fetch(() -> upstream.nameOf("ann")).commitResult((work, name) -> {
            store(work, "ann", name);
            return name;
        });
        assertThat(stored).isEqualTo("name of ann");
        assertThat(emails()).containsExactly("ann");
        assertThat(fixture.namesStaged()).containsExactly("user.created");
        assertThat(upstream.calls).hasValue(1);
    }

    @Test
    void no_connection_is_held_while_fetching_and_checking() {
        UnitOfWork.on(pool)
                .fetch(() -> pool.getHikariPoolMXBean().getActiveConnections())
                .check(activeWhileFetching -> {
                    assertThat(activeWhileFetching).isZero();
                    assertThat(pool.getHikariPoolMXBean().getActiveConnections())
                            .isZero();
                })
                .commit((work, fetched) -> assertThat(pool.getHikariPoolMXBean().getActiveConnections())
                        .isOne());
    }

    @Test
    void a_fetch_inside_a_unit_is_refused_because_a_connection_is_held_there() {
        Upstream upstream = new Upstream();
        UnitOfWork unit = UnitOfWork.on(pool);
        assertThatThrownBy(() -> unit.run(work -> unit.fetch(() -> upstream.nameOf("ann"))))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContainingAll("cannot fetch", "Nothing was fetched", "before");
        assertThat(upstream.calls).hasValue(0);
    }

    /** Two units read both rows and write one each: serializable lets only one of them commit at first. */
    @Test
    void a_serialization_conflict_after_the_fetch_repeats_only_the_transaction() throws Exception {
        Upstream upstream = new Upstream();
        UnitOfWork unit = UnitOfWork.on(pool).isolation(Isolation.SERIALIZABLE);
        CyclicBarrier bothHaveRead = new CyclicBarrier(2);
        AtomicInteger attempts = new AtomicInteger();
        AtOnce.run(2, i -> unit.fetch(() -> upstream.nameOf("user." + i)).commit((work, name) -> {
            attempts.incrementAndGet();
            work.dsl().fetchSingle("SELECT count(*) FROM users");
            if (work.attempt() == 1) {
                bothHaveRead.await();
            }
            store(work, "user." + i, name);
        }));
        assertThat(upstream.calls).hasValue(2);
        assertThat(attempts.get()).isGreaterThan(2);
        assertThat(emails()).containsExactlyInAnyOrder("user.0", "user.1");
        assertThat(fixture.namesStaged()).containsExactly("user.created", "user.created");
    }

    private enum Step {
        FETCH,
        CHECK,
        BEFORE_ANY_STATEMENT,
        STATEMENT,
        AFTER_STAGING,
        STAGED_JOB_REFUSED
    }

    @ParameterizedTest
    @EnumSource
    void a_failure_at_any_step_leaves_no_trace_in_the_database(Step failing) {
        assertThatThrownBy(() -> UnitOfWork.on(pool)
                        .fetch(() -> {
                            failIf(failing == Step.FETCH);
                            return failing == Step.STATEMENT ? "" : "name";
                        })
                        .check(name -> failIf(failing == Step.CHECK))
                        .commit((work, name) -> {
                            failIf(failing == Step.BEFORE_ANY_STATEMENT);
                            store(work, "first", "first");
                            store(work, "second", name);
                            if (failing == Step.STAGED_JOB_REFUSED) {
                                work.stage(StagedJob.builder("users", "big")
                                        .payload(new byte[900_001])
                                        .build());
                            }
                            failIf(failing == Step.AFTER_STAGING);
                        }))
                .isInstanceOf(
                        switch (failing) {
                            case STATEMENT -> DataAccessException.class;
                            case STAGED_JOB_REFUSED -> JobRefusedException.class;
                            default -> IOException.class;
                        });
        assertNothingIsStored();
        assertThat(pool.getHikariPoolMXBean().getActiveConnections()).isZero();
    }

    private static void failIf(boolean failing) throws IOException {
        if (failing) {
            throw new IOException("upstream");
        }
    }

    /** Not even a transaction begins: a database that nobody can reach makes no difference. */
    @Test
    void a_fetch_that_fails_never_asks_for_a_connection() {
        HikariDataSource closed = fixture.pool(1);
        closed.close();
        assertThatThrownBy(() -> UnitOfWork.on(closed)
                        .fetch(() -> {
                            throw new IOException("upstream");
                        })
                        .commit((work, fetched) -> {}))
                .isInstanceOf(IOException.class)
                .hasNoSuppressedExceptions();
    }

    @Test
    void a_repeated_unit_that_upserts_is_harmless() {
        Upstream upstream = new Upstream();
        UnitOfWork unit = UnitOfWork.on(pool);
        for (int i = 0; i < 3; i++) {
            unit.fetch(() -> upstream.nameOf("ann")).commit((work, name) -> store(work, "ann", name));
        }
        assertThat(emails()).containsExactly("ann");
        assertThat(fixture.namesStaged()).containsExactly("user.created");
    }

    @ParameterizedTest
    @EnumSource
    void fifty_threads_with_one_address_make_one_user_and_one_job(Isolation isolation) throws Exception {
        Upstream upstream = new Upstream();
        UnitOfWork unit = UnitOfWork.on(pool).isolation(isolation).attemptsMax(50);
        AtOnce.run(50, i -> unit.fetch(() -> upstream.nameOf("ann")).commit((work, name) -> store(work, "ann", name)));
        assertThat(emails()).containsExactly("ann");
        assertThat(fixture.namesStaged()).containsExactly("user.created");
        assertThat(upstream.calls).hasValue(50);
    }

    @Test
    void fifty_threads_that_look_up_and_else_insert_make_one_user_and_one_job() throws Exception {
        UnitOfWork unit = UnitOfWork.on(pool)
                .isolation(Isolation.SERIALIZABLE)
                .attemptsMax(50)
                .retryUniqueViolations();
        AtOnce.run(
                50,
                i -> unit.run(work -> {
                    if (work.dsl()
                            .fetchOptional("SELECT 1 FROM users WHERE email = 'ann'")
                            .isEmpty()) {
                        work.dsl().execute("INSERT INTO users VALUES ('ann', 'Ann')");
                        work.stage(StagedJob.builder("users", "user.created")
                                .key("ann")
                                .build());
                    }
                }));
        assertThat(emails()).containsExactly("ann");
        assertThat(fixture.namesStaged()).containsExactly("user.created");
    }
}
