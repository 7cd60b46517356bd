package io.stagedjobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.testkit.AtOnce;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicInteger;
import org.jooq.exception.DataAccessException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Expensive first, cheap last: another service is called without a connection, then comes a short transaction. */
class ExpensiveFirstTest {

    @RegisterExtension
    static final UsersFixture users =
            new UsersFixture("fetch", "email text PRIMARY KEY, name text NOT NULL CHECK (name <> '')");

    /** A client of another service: refuses to be called inside a unit, and counts its calls. */
    private static final class Upstream {
        private final AtomicInteger calls = new AtomicInteger();

        String nameOf(String email) {
            UnitOfWork.requireNoneOpen();
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
        return users.schema().dsl().fetch("SELECT email FROM users").getValues(0, String.class);
    }

    private static void fetchAndStore(Upstream upstream, UnitOfWork unit, String email) {
        String name = upstream.nameOf(email);
        unit.run(work -> store(work, email, name));
    }

    @Test
    void a_call_inside_a_unit_is_refused_because_a_connection_is_held_there() {
        Upstream upstream = new Upstream();
        assertThatThrownBy(() -> UnitOfWork.on(users.pool()).run(work -> upstream.nameOf("ann")))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContainingAll("cannot call another service", "Nothing was called", "before");
        assertThat(upstream.calls).hasValue(0);
    }

    @Test
    void a_call_is_refused_until_the_outermost_unit_has_ended_and_only_on_its_thread() throws Exception {
        Upstream upstream = new Upstream();
        UnitOfWork.on(users.pool()).run(outer -> {
            UnitOfWork.on(users.schema().database.dataSource()).run(other -> {});
            assertThatThrownBy(() -> upstream.nameOf("ann")).isInstanceOf(IllegalStateException.class);
            AtOnce.run(1, i -> upstream.nameOf("bob"));
        });
        fetchAndStore(upstream, UnitOfWork.on(users.pool()), "eve");
        assertThat(upstream.calls).hasValue(2);
        assertThat(emails()).containsExactly("eve");
    }

    /** Two units read both rows and write one each: serializable lets only one of them commit at first. */
    @Test
    void a_serialization_conflict_after_the_call_repeats_only_the_transaction() throws Exception {
        Upstream upstream = new Upstream();
        UnitOfWork unit = UnitOfWork.on(users.pool()).isolation(Isolation.SERIALIZABLE);
        CyclicBarrier bothHaveRead = new CyclicBarrier(2);
        AtomicInteger attempts = new AtomicInteger();
        AtOnce.run(2, i -> {
            String name = upstream.nameOf("user." + i);
            unit.run(work -> {
                attempts.incrementAndGet();
                work.dsl().fetchSingle("SELECT count(*) FROM users");
                if (work.attempt() == 1) {
                    bothHaveRead.await();
                }
                store(work, "user." + i, name);
            });
        });
        assertThat(upstream.calls).hasValue(2);
        assertThat(attempts.get()).isGreaterThan(2);
        assertThat(emails()).containsExactlyInAnyOrder("user.0", "user.1");
        assertThat(users.schema().namesStaged()).containsExactly("user.created", "user.created");
    }

    private enum Step {
        BEFORE_ANY_STATEMENT,
        STATEMENT,
        AFTER_STAGING,
        STAGED_JOB_REFUSED
    }

    @ParameterizedTest
    @EnumSource
    void a_failure_at_any_step_leaves_no_trace_in_the_database(Step failing) {
        assertThatThrownBy(() -> UnitOfWork.on(users.pool()).run(work -> {
                    failIf(failing == Step.BEFORE_ANY_STATEMENT);
                    store(work, "first", "first");
                    store(work, "second", failing == Step.STATEMENT ? "" : "name");
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
        assertThat(emails()).isEmpty();
        assertThat(users.schema().namesStaged()).isEmpty();
        assertThat(users.pool().getHikariPoolMXBean().getActiveConnections()).isZero();
    }

    private static void failIf(boolean failing) throws IOException {
        if (failing) {
            throw new IOException("the business says no");
        }
    }

    @Test
    void a_repeated_unit_that_upserts_is_harmless() {
        Upstream upstream = new Upstream();
        UnitOfWork unit = UnitOfWork.on(users.pool());
        for (int i = 0; i < 3; i++) {
            fetchAndStore(upstream, unit, "ann");
        }
        assertThat(emails()).containsExactly("ann");
        assertThat(users.schema().namesStaged()).containsExactly("user.created");
    }

    @ParameterizedTest
    @EnumSource
    void fifty_threads_with_one_address_make_one_user_and_one_job(Isolation isolation) throws Exception {
        Upstream upstream = new Upstream();
        UnitOfWork unit = UnitOfWork.on(users.pool()).isolation(isolation).attemptsMax(50);
        AtOnce.run(50, i -> fetchAndStore(upstream, unit, "ann"));
        assertThat(emails()).containsExactly("ann");
        assertThat(users.schema().namesStaged()).containsExactly("user.created");
        assertThat(upstream.calls).hasValue(50);
    }

    @Test
    void fifty_threads_that_look_up_and_else_insert_make_one_user_and_one_job() throws Exception {
        UnitOfWork unit = UnitOfWork.on(users.pool())
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
        assertThat(users.schema().namesStaged()).containsExactly("user.created");
    }
}
