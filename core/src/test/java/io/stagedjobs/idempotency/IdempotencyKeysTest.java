package io.stagedjobs.idempotency;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.zaxxer.hikari.HikariDataSource;
import io.stagedjobs.Isolation;
import io.stagedjobs.JobRefusedException;
import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.UnitListener.Outcome;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.UsersFixture;
import io.stagedjobs.Work;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.AtOnce;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jooq.SQLDialect;
import org.jooq.conf.RenderNameCase;
import org.jooq.conf.RenderQuotedNames;
import org.jooq.conf.Settings;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class IdempotencyKeysTest {

    private static final String BODY = "{\"email\":\"ann@example.com\"}";

    @RegisterExtension
    static final UsersFixture users =
            new UsersFixture("idempotency", "id int GENERATED ALWAYS AS IDENTITY, email text NOT NULL");

    private final AtomicInteger runs = new AtomicInteger();
    private final IdempotencyKeys keys = IdempotencyKeys.on(UnitOfWork.on(users.pool()));

    private static Request request(String key) {
        return Request.of("client 7", key, "POST", "/users", BODY.getBytes(UTF_8));
    }

    /** Not harmless when repeated: each run makes another user and another job. */
    private Response createUser(Work work) {
        runs.incrementAndGet();
        int id = work.dsl()
                .fetchSingle("INSERT INTO users (email) VALUES ('ann@example.com') RETURNING id")
                .get(0, int.class);
        work.stage(StagedJob.builder("users", "user.created").build());
        return Response.of(201, "{\"id\":" + id + "}").header("Location", "/users/" + id);
    }

    private static void assertUsersAndJobs(int count) {
        assertThat(users.schema().dsl().fetchCount(org.jooq.impl.DSL.table("users")))
                .isEqualTo(count);
        assertThat(users.schema().namesStaged()).hasSize(count);
    }

    private static int keysStored() {
        return users.schema().dsl().fetchCount(org.jooq.impl.DSL.table("staged_job_idempotency_keys"));
    }

    private static void assertSameAnswer(Response replayed, Response first) {
        assertThat(replayed.replayed()).isTrue();
        assertThat(replayed.status()).isEqualTo(first.status());
        assertThat(replayed.headers()).isEqualTo(first.headers());
        assertThat(replayed.body()).isEqualTo(first.body());
    }

    @Test
    void a_clients_retry_gets_the_first_answer_and_makes_no_second_job() {
        Response first = keys.answer(request("k"), this::createUser);
        assertThat(first.replayed()).isFalse();
        assertThat(first.headers()).containsKey("Location");
        for (int i = 0; i < 2; i++) {
            assertSameAnswer(keys.answer(request("k"), this::createUser), first);
        }
        assertThat(runs).hasValue(1);
        assertUsersAndJobs(1);
    }

    @Test
    void an_answer_is_kept_byte_for_byte() {
        byte[] bytes = {0, 1, (byte) 0xff, '"', '\\'};
        Map<String, String> headers = Map.of("Content-Type", "image/png", "X-Quote", "\"é\\ 😀");
        Response first = keys.answer(request("bytes"), work -> new Response(200, headers, bytes, false));
        assertSameAnswer(keys.answer(request("bytes"), this::createUser), first);

        assertThat(keys.answer(request("empty"), work -> Response.of(200, "")).body())
                .isEmpty();
        assertThat(keys.answer(request("empty"), this::createUser).body()).isEmpty();
        assertThat(runs).hasValue(0);
    }

    @Test
    void an_error_that_is_the_answer_is_repeated_like_any_other() {
        keys.answer(request("k"), work -> Response.of(409, "taken"));
        Response again = keys.answer(request("k"), this::createUser);
        assertThat(again.status()).isEqualTo(409);
        assertUsersAndJobs(0);
    }

    @Test
    void a_different_request_under_the_same_key_is_refused() {
        keys.answer(request("k"), this::createUser);
        for (Request other : List.of(
                Request.of("client 7", "k", "POST", "/users", "{}".getBytes(UTF_8)),
                Request.of("client 7", "k", "PUT", "/users", BODY.getBytes(UTF_8)),
                Request.of("client 7", "k", "POST", "/users?a=b", BODY.getBytes(UTF_8)),
                Request.of("client 7", "k", "POST", "/users" + BODY, new byte[0]))) {
            KeyReusedException refused =
                    catchThrowableOfType(KeyReusedException.class, () -> keys.answer(other, this::createUser));
            assertThat(refused).hasMessageContainingAll("\"k\"", "different request", "Nothing of this one was done");
            assertThat(refused.httpStatus()).isEqualTo(422);
            assertThatThrownBy(() -> keys.answered(other)).isInstanceOf(KeyReusedException.class);
        }
        assertUsersAndJobs(1);
    }

    @Test
    void the_same_key_of_another_client_is_another_request() {
        keys.answer(request("k"), this::createUser);
        Response other =
                keys.answer(Request.of("client 8", "k", "POST", "/users", BODY.getBytes(UTF_8)), this::createUser);
        assertThat(other.replayed()).isFalse();
        assertUsersAndJobs(2);
    }

    @Test
    void a_key_in_progress_answers_409_at_once_and_later_with_the_first_answer() throws Exception {
        CompletableFuture<Void> working = new CompletableFuture<>();
        CompletableFuture<Void> mayEnd = new CompletableFuture<>();
        CompletableFuture<Response> first = CompletableFuture.supplyAsync(() -> keys.answer(request("k"), work -> {
            working.complete(null);
            mayEnd.join();
            return createUser(work);
        }));
        working.get();
        KeyInProgressException refused =
                catchThrowableOfType(KeyInProgressException.class, () -> keys.answer(request("k"), this::createUser));
        assertThat(refused).hasMessageContainingAll("\"k\"", "being worked on", "Send it again");
        assertThat(refused.httpStatus()).isEqualTo(409);
        assertThat(keys.answered(request("k"))).isEmpty();
        assertThat(keys.answer(request("another"), work -> Response.of(200, "")).replayed())
                .isFalse();
        mayEnd.complete(null);
        Response answered = first.get();
        assertSameAnswer(keys.answer(request("k"), this::createUser), answered);
        assertUsersAndJobs(1);
    }

    @Test
    void a_key_that_another_language_works_on_as_the_contract_says_is_in_progress() throws SQLException, IOException {
        String lock = "pg_try_advisory_xact_lock(hashtextextended(%s, hashtextextended(%s, 409)))";
        assertThat(Files.readString(Path.of("../docs/contract.md")))
                .contains("SELECT " + String.format(lock, "idempotency_key", "scope"));
        try (Connection connection = users.schema().database.connect();
                Statement statement = connection.createStatement()) {
            connection.setAutoCommit(false);
            statement.execute("SELECT " + String.format(lock, "'k'", "'client 7'"));
            assertThatThrownBy(() -> keys.answer(request("k"), this::createUser))
                    .isInstanceOf(KeyInProgressException.class);
            connection.rollback();
        }
        keys.answer(request("k"), this::createUser);
    }

    @Test
    void a_key_inside_its_own_work_is_in_progress_too() {
        keys.answer(request("k"), work -> {
            assertThatThrownBy(() -> keys.answer(request("k"), this::createUser))
                    .isInstanceOf(KeyInProgressException.class);
            return createUser(work);
        });
        assertUsersAndJobs(1);
    }

    @Test
    void a_request_that_failed_left_nothing_and_may_be_sent_again() {
        IOException failure = new IOException("upstream");
        assertThatThrownBy(() -> keys.answer(request("k"), work -> {
                    createUser(work);
                    throw failure;
                }))
                .isSameAs(failure);
        assertThatThrownBy(() -> keys.answer(request("k"), work -> {
                    work.stage(StagedJob.builder("users", "big")
                            .payload(new byte[900_001])
                            .build());
                    return createUser(work);
                }))
                .isInstanceOf(JobRefusedException.class);
        assertThat(keysStored()).isZero();
        assertUsersAndJobs(0);
        assertThat(keys.answer(request("k"), this::createUser).replayed()).isFalse();
        assertUsersAndJobs(1);
    }

    @Test
    void the_key_of_a_process_that_died_at_work_is_free() {
        assertThatThrownBy(() -> keys.answer(request("k"), work -> {
                    createUser(work);
                    work.dsl().execute("SELECT pg_terminate_backend(pg_backend_pid())");
                    return Response.of(200, "");
                }))
                .isNotNull();
        assertThat(keys.answer(request("k"), this::createUser).replayed()).isFalse();
        assertUsersAndJobs(1);
    }

    @Test
    void a_conflict_repeats_the_work_and_keeps_one_answer() {
        Response first = keys.answer(request("k"), work -> {
            Response response = createUser(work);
            if (work.attempt() == 1) {
                work.dsl().execute("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$");
            }
            return response;
        });
        assertSameAnswer(keys.answer(request("k"), this::createUser), first);
        assertThat(runs).hasValue(2);
        assertUsersAndJobs(1);
    }

    /** The snapshot is older than the first answer: it cannot be read, and must not be overlooked. */
    @ParameterizedTest
    @EnumSource(
            value = Isolation.class,
            names = {"REPEATABLE_READ", "SERIALIZABLE"})
    void an_answer_that_was_committed_after_the_snapshot_is_found_by_the_next_attempt(Isolation isolation) {
        UnitOfWork unit = UnitOfWork.on(users.pool()).isolation(isolation);
        Response second = unit.call(work -> {
            work.dsl().fetchSingle("SELECT count(*) FROM users");
            if (work.attempt() == 1) {
                CompletableFuture.runAsync(() -> keys.answer(request("k"), this::createUser))
                        .join();
            }
            return IdempotencyKeys.on(unit).answer(request("k"), this::createUser);
        });
        assertThat(second.replayed()).isTrue();
        assertThat(runs).hasValue(1);
        assertUsersAndJobs(1);
    }

    @ParameterizedTest
    @EnumSource
    void fifty_threads_with_one_key_make_one_user_and_one_job_and_all_get_the_first_answer(Isolation isolation)
            throws Exception {
        IdempotencyKeys isolated = IdempotencyKeys.on(
                UnitOfWork.on(users.pool()).isolation(isolation).attemptsMax(50));
        AtomicInteger firsts = new AtomicInteger();
        Queue<String> bodies = new ConcurrentLinkedQueue<>();
        AtOnce.run(50, i -> {
            Response response = answerWithRetries(isolated);
            firsts.addAndGet(response.replayed() ? 0 : 1);
            bodies.add(new String(response.body(), UTF_8));
        });
        assertThat(firsts).hasValue(1);
        assertThat(bodies).hasSize(50);
        assertThat(bodies.stream().distinct()).hasSize(1);
        assertUsersAndJobs(1);
    }

    /** As a client does that is told 409. */
    private Response answerWithRetries(IdempotencyKeys isolated) {
        while (true) {
            try {
                return isolated.answer(request("k"), this::createUser);
            } catch (KeyInProgressException e) {
                Thread.onSpinWait();
            }
        }
    }

    /**
     * Three transactions overlap, the last one to begin commits first. If each of them looked its own key up in the
     * index, where the next one inserts, PostgreSQL would have to refuse one.
     */
    @Test
    void serializable_requests_with_different_keys_do_not_conflict() {
        List<Outcome> outcomes = new ArrayList<>();
        try (HikariDataSource second = users.schema().pool(1);
                HikariDataSource third = users.schema().pool(1)) {
            answerAndThen(
                    users.pool(),
                    "1",
                    outcomes,
                    () -> answerAndThen(second, "2", outcomes, () -> answerAndThen(third, "3", outcomes, () -> {})));
        }
        assertThat(outcomes).containsExactly(Outcome.COMMITTED, Outcome.COMMITTED, Outcome.COMMITTED);
    }

    private void answerAndThen(HikariDataSource source, String key, List<Outcome> outcomes, Runnable meanwhile) {
        UnitOfWork unit = UnitOfWork.on(source)
                .isolation(Isolation.SERIALIZABLE)
                .attemptsMax(1)
                .listening(attempt -> outcomes.add(attempt.outcome()));
        unit.run(work -> {
            IdempotencyKeys.on(unit).answer(request(key), this::createUser);
            meanwhile.run();
        });
    }

    @Test
    void an_answer_can_be_asked_for_before_something_expensive_is_fetched() {
        assertThat(keys.answered(request("k"))).isEmpty();
        Response first = keys.answer(request("k"), this::createUser);
        assertSameAnswer(keys.answered(request("k")).orElseThrow(), first);
    }

    @Test
    void old_keys_are_pruned_by_the_databases_clock_in_bounded_steps_and_are_new_again() {
        users.schema()
                .dsl()
                .execute("INSERT INTO staged_job_idempotency_keys"
                        + " (scope, idempotency_key, fingerprint, status, created_at)"
                        + " SELECT 'client 7', 'old.' || n, 'f', 200, clock_timestamp() - interval '25 hours'"
                        + " FROM generate_series(1, 2500) AS n");
        Response fresh = keys.answer(request("fresh"), this::createUser);
        List<Outcome> steps = new ArrayList<>();
        IdempotencyKeys watched =
                IdempotencyKeys.on(UnitOfWork.on(users.pool()).listening(attempt -> steps.add(attempt.outcome())));
        assertThat(watched.prune(Duration.ofHours(24))).isEqualTo(2500);
        assertThat(steps).hasSize(1 + 3).containsOnly(Outcome.COMMITTED);
        assertThat(watched.prune(Duration.ofHours(24))).isZero();
        assertSameAnswer(keys.answer(request("fresh"), this::createUser), fresh);

        assertThat(keys.prune(Duration.ZERO)).isEqualTo(1);
        assertThat(keys.answer(request("fresh"), this::createUser).replayed()).isFalse();
        assertThatThrownBy(() -> keys.prune(Duration.ofSeconds(-1))).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void several_may_prune_at_once() throws Exception {
        users.schema()
                .dsl()
                .execute("INSERT INTO staged_job_idempotency_keys (scope, idempotency_key, fingerprint, created_at)"
                        + " SELECT 'c', n::text, 'f', clock_timestamp() - interval '1 hour'"
                        + " FROM generate_series(1, 5000) AS n");
        AtomicInteger pruned = new AtomicInteger();
        AtOnce.run(4, i -> pruned.addAndGet(keys.prune(Duration.ofMinutes(1))));
        assertThat(keys.prune(Duration.ofMinutes(1)) + pruned.get()).isEqualTo(5000);
        assertThat(keysStored()).isZero();
    }

    @Test
    void keys_live_in_the_schema_that_was_named() throws SQLException {
        Schema elsewhere = Schema.named("else where");
        try (Connection connection = users.schema().database.connect()) {
            elsewhere.migrate(connection);
        }
        UnitOfWork unit = UnitOfWork.on(users.pool()).staging(new StagedJobs(elsewhere));
        IdempotencyKeys there = IdempotencyKeys.on(unit, elsewhere);
        Response first = there.answer(request("k"), this::createUser);
        assertSameAnswer(there.answer(request("k"), this::createUser), first);
        assertThat(keysStored()).isZero();
    }

    /** An application may have its own tables named otherwise, or not qualified. */
    @Test
    void jooqs_settings_of_the_application_do_not_change_our_tables() throws SQLException {
        Schema elsewhere = Schema.named("else where 2");
        try (Connection connection = users.schema().database.connect()) {
            elsewhere.migrate(connection);
        }
        Settings settings = new Settings()
                .withRenderSchema(false)
                .withRenderNameCase(RenderNameCase.UPPER)
                .withRenderQuotedNames(RenderQuotedNames.NEVER);
        UnitOfWork unit = UnitOfWork.on(
                        DSL.using(users.pool(), SQLDialect.POSTGRES, settings).configuration())
                .staging(new StagedJobs(elsewhere));
        IdempotencyKeys there = IdempotencyKeys.on(unit, elsewhere);
        Response first = there.answer(request("k"), this::createUser);
        assertSameAnswer(there.answer(request("k"), this::createUser), first);
        assertThat(there.prune(Duration.ZERO)).isEqualTo(1);
        assertThat(keysStored()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a\nb", "a\0", "\ud83d"})
    void a_key_that_is_no_text_is_refused(String key) {
        assertThatThrownBy(() -> request(key)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void what_is_too_large_is_refused_before_the_database_is_asked() {
        assertThat(keys.answer(request("😀".repeat(255)), this::createUser).replayed())
                .isFalse();
        assertThatThrownBy(() -> request("k".repeat(256))).hasMessageContaining("1 to 255 characters, not 256");
        assertThatThrownBy(() -> Response.of(200, new byte[1_000_001])).hasMessageContaining("1000001 bytes");
        assertThatThrownBy(() -> Response.of(99, "")).hasMessageContaining("100 to 599");
        Response largest = keys.answer(request("large"), work -> Response.of(200, new byte[1_000_000]));
        assertSameAnswer(keys.answer(request("large"), this::createUser), largest);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a\0", "\ud83d"})
    void a_header_of_an_answer_that_is_no_text_is_refused(String text) {
        assertThatThrownBy(() -> Response.of(200, "").header("Location", text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("value of a response's header");
        assertThatThrownBy(() -> Response.of(200, "").header(text, "v"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("name of a response's header");
    }

    @Test
    void a_body_that_has_no_utf_8_form_is_refused() {
        assertThatThrownBy(() -> Response.of(200, "a\ud83d"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("half of a surrogate pair");
    }

    @Test
    void what_is_null_is_named() {
        assertThatThrownBy(() -> new Request(null, "k", "f")).hasMessageContaining("scope");
        assertThatThrownBy(() -> new Request("s", null, "f")).hasMessageContaining("the key");
        assertThatThrownBy(() -> new Request("s", "k", null)).hasMessageContaining("fingerprint");
        assertThatThrownBy(() -> Response.of(200, "").header("Location", null)).hasMessageContaining("value");
    }
}
