package io.stagedjobs.enqueuer.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.BatchLimits;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.Moved;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.Outbox;
import io.stagedjobs.enqueuer.ReadCriteria;
import io.stagedjobs.enqueuer.Refusal;
import io.stagedjobs.schema.Schema;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Vacuum has found the tables empty, and then very many jobs came into one lane: what the statements of a batch read is
 * still a matter of the batch, not of the lane.
 */
class StaleStatisticsTest {

    private static final int WAITING = 5_000;
    private static final int BATCH = 50;
    private static final int READ_PER_JOB_MAX = 4;
    private static final BatchLimits LIMITS = new BatchLimits(BATCH, 1_000_000);
    private static final Refusal MISSING = new Refusal(Refusal.Reason.TOPIC_MISSING, "it is missing");
    private static final String TOPIC = "topic";
    private static final String JOB_COLUMNS = "id, job_id, topic, job_key, job_name, payload, headers, staged_at";
    private static final LockedLane LOCKED = new LockedLane(1, "", Instant.EPOCH, 0, System.nanoTime());

    private Outbox outbox;
    private Transactions transactions;
    private int lane;

    @BeforeEach
    void open() {
        outbox = new Outbox("statistics");
        transactions = new Transactions(outbox.database.dataSource(), UUID.randomUUID(), Duration.ofSeconds(4));
        lane = outbox.laneOf(TOPIC, "k");
        stage();
        outbox.dsl().execute("UPDATE staged_jobs SET topic = topic"); // as many pages again
        aside();
        outbox.dsl().execute("DELETE FROM parked_jobs");
        for (String table : List.of("staged_jobs", "parked_jobs")) {
            outbox.dsl().execute("VACUUM (ANALYZE, TRUNCATE false) " + table);
        }
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private void stage() {
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, 'k', n::text, '{}' FROM generate_series(1, ?) AS n",
                        TOPIC,
                        WAITING);
    }

    /** Moves all jobs aside, past the enqueuer. */
    private void aside() {
        outbox.dsl()
                .execute("WITH gone AS (DELETE FROM staged_jobs RETURNING *) INSERT INTO parked_jobs (lane, "
                        + JOB_COLUMNS + ", state, reason) SELECT lane, " + JOB_COLUMNS
                        + ", 'held', 'topic missing' FROM gone");
    }

    private static void assertFewRead(OpenTransaction transaction, String what) {
        long read = transaction.ask("count rows read", dsl -> dsl.fetchSingle(
                        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
                                + " WHERE relname IN ('staged_jobs', 'parked_jobs')")
                .get(0, long.class));
        assertThat(read).as("rows read so far, after " + what).isLessThanOrEqualTo(READ_PER_JOB_MAX * BATCH);
    }

    private interface Step {
        void in(PostgresLaneTransaction lane);
    }

    /** Each step in a transaction of its own, which is rolled back: what it reads is counted by transaction. */
    private void assertFewRead(String planCacheMode, String what, Step step) {
        try (OpenTransaction transaction = transactions.begin(lane)) {
            transaction.ask("choose plans", dsl -> dsl.execute("SET LOCAL plan_cache_mode = " + planCacheMode));
            String plan = transaction.ask("explain", dsl -> dsl.fetch("EXPLAIN SELECT FROM public.staged_jobs")
                    .formatCSV());
            assertThat(plan).as("the plan's estimate").contains("rows=1 ");
            step.in(new PostgresLaneTransaction(
                    transaction, transactions, new Statements(Schema.PUBLIC), lane, LOCKED));
            assertFewRead(transaction, what);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"force_custom_plan", "force_generic_plan"})
    void a_batch_reads_its_own_jobs_and_not_the_whole_lane(String planCacheMode) {
        stage();
        List<Job> jobs;
        try (OpenTransaction transaction = transactions.begin(lane)) {
            jobs = new PostgresLaneTransaction(transaction, transactions, new Statements(Schema.PUBLIC), lane, LOCKED)
                    .read(criteria(LIMITS, Blocked.NOTHING, 0))
                    .jobs();
        }
        List<Row> rows = jobs.stream().map(Row::of).toList();
        List<Moved> moved =
                rows.stream().map(row -> new Moved(row, true, MISSING)).toList();
        assertFewRead(planCacheMode, "reading", step -> assertThat(
                        step.read(criteria(LIMITS, Blocked.NOTHING, 0)).jobs())
                .hasSize(BATCH));
        assertFewRead(planCacheMode, "deleting", step -> assertThat(
                        step.delete(rows, 0).rows())
                .isEqualTo(BATCH));
        assertFewRead(planCacheMode, "moving aside", step -> step.moveAside(moved));
        assertFewRead(planCacheMode, "sweeping", step -> assertThat(
                        step.sweep(Map.of(TOPIC, MISSING), LIMITS, 0).moved())
                .isEqualTo(BATCH));
        aside();
        assertFewRead(planCacheMode, "putting back", step -> assertThat(
                        step.putBack(TOPIC, LIMITS).rows())
                .isEqualTo(BATCH));
        assertFewRead(planCacheMode, "deleting aside", step -> assertThat(step.deleteAside(rows))
                .isEqualTo(BATCH));
    }

    private static ReadCriteria criteria(BatchLimits limits, Blocked blocked, long after) {
        return new ReadCriteria(after, Set.of(), blocked, limits);
    }
}
