package io.stagedjobs.testkit.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class JobTablesTest {

    private static TestTables tables;

    private final UnitOfWork unit = UnitOfWork.on(tables.dataSource);
    private final JobTables jobs = tables.jobs;

    @BeforeAll
    static void install() {
        tables = new TestTables("tables");
    }

    @BeforeEach
    void clear() {
        tables.clear();
    }

    private static StagedJob.Builder created(String email) {
        return StagedJob.builder("users", "user.created").key(email).payload("{\"email\": \"" + email + "\"}");
    }

    private static StagedJob renamed() {
        return StagedJob.builder("users", "user.renamed")
                .payload(new byte[] {(byte) 0xff, 0})
                .build();
    }

    private void stage(StagedJob... staged) {
        unit.run(work -> List.of(staged).forEach(work::stage));
    }

    private static void assertFails(ThrowingCallable assertion, String message) {
        assertThatThrownBy(assertion).isInstanceOf(AssertionError.class).hasMessage(message);
    }

    @Test
    void a_job_is_found_as_it_was_staged() {
        StagedJob job = created("ann").header("a", "1").header("b", "\"2\"\n").build();
        stage(job);
        assertThat(jobs.staged().jobs()).singleElement().satisfies(found -> assertThat(found.job())
                .usingRecursiveComparison()
                .isEqualTo(job));
        assertThat(jobs.staged())
                .hasJobs(1)
                .hasJobs("user.created")
                .hasNoJob("user.renamed")
                .hasJob("user.created")
                .once()
                .withTopic("users")
                .withKey("ann")
                .withPayload("{\"email\": \"ann\"}")
                .withPayload(job.payload())
                .withJson("{ \"email\" : \"ann\" }")
                .withHeader("a", "1")
                .with("whose id is the one it got", found -> found.id().equals(job.id()));
        assertThat(jobs.aside()).hasNoJobs();
    }

    @Test
    void a_job_of_plain_sql_without_key_and_payload_is_found() {
        tables.dsl.execute("INSERT INTO staged_jobs (topic, job_name) VALUES ('users', 'user.deleted')");
        assertThat(jobs.staged()).hasJob("user.deleted").withoutKey().withoutPayload();
    }

    @Test
    void what_is_said_of_a_job_is_true_of_one_and_the_same() {
        stage(
                created("ann").header("a", "1").build(),
                created("bob").header("a", "2").build(),
                renamed());
        assertThat(jobs.staged())
                .hasJobs("user.created", "user.created", "user.renamed")
                .hasJob("user.created")
                .withKey("bob")
                .withHeader("a", "2")
                .once()
                .hasJob("user.renamed")
                .withoutKey()
                .hasJobs(3);
        assertThatThrownBy(() -> assertThat(jobs.staged())
                        .hasJob("user.created")
                        .withKey("bob")
                        .withHeader("a", "1"))
                .hasMessageContaining("with key \"bob\" with header a=1, but found 3 jobs:");
    }

    @Test
    void a_transaction_that_is_still_open_is_looked_into_by_its_connection_alone() throws Exception {
        try (Connection open = tables.database.connect()) {
            open.setAutoCommit(false);
            new StagedJobs().stage(open, created("ann").build());
            assertThat(JobTables.in(open).staged()).hasJob("user.created").withKey("ann");
            assertThat(jobs.staged()).hasNoJobs();
            open.rollback();
            assertThat(JobTables.in(open).staged()).hasNoJobs();
        }
    }

    @Test
    void tables_of_another_schema_are_looked_into_by_its_name() {
        Schema shop = Schema.named("Shop's");
        tables.dsl.connection(shop::migrate);
        unit.staging(new StagedJobs(shop)).run(work -> work.stage(created("ann").build()));
        assertThat(jobs.schema(shop).all()).hasJobs("user.created");
        assertThat(jobs.all()).hasNoJobs();
    }

    @Test
    void what_was_moved_aside_is_found_with_its_reason() {
        stage(created("ann").build());
        aside("held", "topic missing", null);
        aside("parked", "too large", "what Kafka said");
        assertThat(jobs.staged()).hasJobs("user.created");
        assertThat(jobs.aside())
                .hasJobs(2)
                .hasJob("held")
                .heldBecause("topic missing")
                .hasJob("parked")
                .parkedBecause("too large");
        assertThat(jobs.all()).hasJobs(3);
        assertFails(() -> assertThat(jobs.aside()).hasJob("held").parkedBecause("topic missing"), """
                expected a job "held" parked because: topic missing, but found 2 jobs:
                  "held" of topic t, no key, no payload (held: topic missing)
                  "parked" of topic t, no key, no payload (parked: too large: what Kafka said)""");
    }

    private static void aside(String state, String reason, String error) {
        tables.dsl.execute(
                "INSERT INTO parked_jobs (lane, id, job_id, topic, job_name, staged_at, state, reason, error)"
                        + " VALUES (0, (SELECT coalesce(max(id), 1000) + 1 FROM parked_jobs), gen_random_uuid(),"
                        + " 't', ?, now(), ?, ?, ?)",
                state,
                state,
                reason,
                error);
    }

    @Test
    void each_failure_lists_what_was_found() {
        stage(created("ann").header("a", "1").build(), renamed());
        String found = """
                , but found 2 jobs:
                  "user.created" of topic users, key "ann", payload {"email": "ann"}, headers {a=1}
                  "user.renamed" of topic users, no key, payload of 2 bytes that are no text""";
        assertFails(() -> assertThat(jobs.staged()).hasNoJobs(), "expected no job" + found);
        assertFails(() -> assertThat(jobs.staged()).hasJobs(1), "expected 1 job(s)" + found);
        assertFails(
                () -> assertThat(jobs.staged()).hasJobs("user.renamed", "user.created"),
                "expected jobs named [user.renamed, user.created]" + found);
        assertFails(
                () -> assertThat(jobs.staged()).hasNoJob("user.renamed"), "expected no job \"user.renamed\"" + found);
        assertFails(() -> assertThat(jobs.staged()).hasJob("x"), "expected a job \"x\"" + found);
        assertJobFails(job -> job.withTopic("t"), "of topic t" + found);
        assertJobFails(job -> job.withKey("100 %s"), "with key \"100 %s\"" + found);
        assertJobFails(FoundJobsAssert.OfJob::withoutKey, "without a key" + found);
        assertJobFails(job -> job.withPayload(new byte[3]), "with a certain payload of 3 bytes" + found);
        assertJobFails(job -> job.withPayload("text"), "with payload text" + found);
        assertJobFails(job -> job.withJson("{}"), "with JSON {}" + found);
        assertJobFails(FoundJobsAssert.OfJob::withoutPayload, "without a payload" + found);
        assertJobFails(job -> job.withHeader("a", "2"), "with header a=2" + found);
        assertJobFails(job -> job.with("whose key is long", it -> false), "whose key is long" + found);
        assertJobFails(job -> job.heldBecause("topic missing"), "held because: topic missing" + found);
    }

    private interface More {
        void of(FoundJobsAssert.OfJob job);
    }

    private void assertJobFails(More assertion, String message) {
        assertFails(
                () -> assertion.of(assertThat(jobs.staged()).hasJob("user.created")),
                "expected a job \"user.created\" " + message);
    }

    @Test
    void a_job_that_is_there_twice_is_not_there_once() {
        stage(created("ann").build(), created("ann").build());
        assertThatThrownBy(() -> assertThat(jobs.staged())
                        .hasJob("user.created")
                        .withKey("ann")
                        .once())
                .hasMessageStartingWith("expected a job \"user.created\" with key \"ann\" once, but found 2 jobs:");
    }

    @Test
    void a_failure_where_nothing_is_staged_says_so_after_the_tests_own_words() {
        assertFails(
                () -> assertThat(jobs.staged()).as("after signing up").hasJob("user.created"),
                "[after signing up] expected a job \"user.created\", but found none");
    }

    @Test
    void a_failure_lists_the_first_of_many_jobs_and_of_a_long_payload() {
        StagedJob[] many = new StagedJob[30];
        for (int i = 0; i < many.length; i++) {
            many[i] = StagedJob.builder("t", "n").payload("x".repeat(1000)).build();
        }
        stage(many);
        assertThatThrownBy(() -> assertThat(jobs.staged()).hasNoJobs())
                .hasMessageContainingAll("found 30 jobs:", "x".repeat(200) + "… (1000 bytes)")
                .hasMessageEndingWith("\n  and 10 more");
    }

    @Test
    void what_is_no_json_is_refused_as_an_expectation_and_never_equal_as_a_payload() {
        stage(renamed());
        assertThatThrownBy(
                        () -> assertThat(jobs.staged()).hasJob("user.renamed").withJson("{"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("cannot compare payloads with what is no JSON: {");
        assertThatThrownBy(
                        () -> assertThat(jobs.staged()).hasJob("user.renamed").withJson("{}"))
                .isInstanceOf(AssertionError.class);
    }
}
