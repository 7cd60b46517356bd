package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.enqueuer.Step.Kind;
import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.testkit.Eventually;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** One lane, step by step, on a real PostgreSQL and a real broker. */
class LaneRunnerTest {

    private static final String KEY = "k";

    private Outbox outbox;
    private PostgresLanes lanes;
    private Publisher publisher;
    private String topic;
    private int lane;

    @BeforeEach
    void open() {
        outbox = new Outbox("lane");
        lanes = outbox.lanes();
        publisher = outbox.publisher(Map.of());
        topic = outbox.kafka.newTopic("lane", 1);
        lane = outbox.laneOf(topic, KEY);
        lanes.membership().beat();
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private LaneRunner runner(Publisher publisher) {
        return outbox.runner(lane, lanes, publisher);
    }

    @Test
    void committed_jobs_are_published_in_order_and_deleted() {
        outbox.stage(topic, KEY, "first");
        outbox.stage(topic, KEY, "second");
        LaneRunner runner = runner(publisher);
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.MOVED);
        assertThat(outbox.namesIn(topic)).containsExactly("first", "second");
        assertThat(outbox.waiting()).isZero();
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.IDLE);
    }

    @Test
    void a_lane_that_rests_for_want_of_jobs_moves_them_at_once_when_it_is_told_of_them() throws Exception {
        LaneRunner runner = outbox.runner(
                lane, lanes, publisher, System::nanoTime, new BatchLimits(500, 1_000_000), Duration.ofHours(1));
        Thread thread = new Thread(runner);
        thread.start();
        Eventually.until("it rests", () -> thread.getState() == Thread.State.TIMED_WAITING);
        outbox.stage(topic, KEY, "job");
        runner.wake();
        Eventually.until("the job is published", () -> outbox.waiting() == 0);
        runner.stop();
        thread.join();
    }

    @Test
    void a_job_of_a_rolled_back_transaction_is_never_published() throws Exception {
        try (Connection writer = outbox.transaction()) {
            Outbox.stage(writer, topic, KEY, "rolled.back");
            LaneRunner runner = runner(publisher);
            runner.runOnce();
            writer.rollback();
            outbox.stage(topic, KEY, "committed");
            runner.runOnce();
        }
        assertThat(outbox.namesIn(topic)).containsExactly("committed");
    }

    /** The textbook loop deletes everything up to the last id it published: that loses the job with the lower id. */
    @Test
    void a_lower_id_that_commits_while_higher_ones_are_published_is_neither_lost_nor_deleted_unpublished()
            throws Exception {
        try (Connection slow = outbox.transaction()) {
            Outbox.stage(slow, topic, KEY, "lower.id");
            outbox.stage(topic, KEY, "higher.id");
            LaneRunner runner = runner(new WatchedPublisher(publisher) {
                @Override
                Outcome published(Outcome outcome) throws Exception {
                    slow.commit();
                    return outcome;
                }
            });
            runner.runOnce();
            assertThat(outbox.namesIn(topic)).containsExactly("higher.id");
            assertThat(outbox.dsl().fetchValue("SELECT job_name FROM staged_jobs"))
                    .isEqualTo("lower.id");
            assertThat(outbox.dsl().fetchValue("SELECT max(id) FROM staged_jobs"))
                    .isEqualTo(1L);

            runner.runOnce();
        }
        assertThat(outbox.namesIn(topic)).containsExactly("higher.id", "lower.id");
        assertThat(outbox.waiting()).isZero();
    }

    @Test
    void a_row_that_took_the_place_of_a_published_one_is_not_deleted() throws Exception {
        outbox.stage(topic, KEY, "published");
        UUID other = UUID.randomUUID();
        LaneRunner runner = runner(new WatchedPublisher(publisher) {
            @Override
            Outcome published(Outcome outcome) {
                long id = outcome.published().get(0).id();
                outbox.dsl().execute("DELETE FROM staged_jobs WHERE id = ?", id);
                outbox.dsl()
                        .execute(
                                "INSERT INTO staged_jobs (id, job_id, topic, job_key, job_name) OVERRIDING SYSTEM VALUE"
                                        + " VALUES (?, ?, ?, ?, 'another.job')",
                                id,
                                other,
                                topic,
                                KEY);
                return outcome;
            }
        });
        runner.runOnce();
        assertThat(outbox.dsl().fetchValue("SELECT job_id FROM staged_jobs")).isEqualTo(other);
    }

    @Test
    void nothing_is_deleted_when_kafka_does_not_acknowledge() {
        outbox.stage(topic, KEY, "kept");
        LaneRunner runner = runner(new WatchedPublisher(publisher) {
            @Override
            Outcome published(Outcome outcome) {
                return Outcome.failed("the acknowledgement was lost");
            }
        });
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.FAILED);
        assertThat(outbox.waiting()).isEqualTo(1);
    }

    @Test
    void a_failed_step_is_followed_by_acquiring_again_with_a_newer_generation() {
        outbox.stage(topic, KEY, "job");
        List<Long> failures = new ArrayList<>();
        LaneRunner runner = runner(new WatchedPublisher(publisher) {
            @Override
            Outcome published(Outcome outcome) {
                failures.add(generation());
                return failures.size() == 1 ? Outcome.failed("once") : outcome;
            }
        });
        runner.runOnce();
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.MOVED);
        assertThat(failures).containsExactly(1L, 2L);
        assertThat(outbox.waiting()).isZero();
    }

    private long generation() {
        return outbox.dsl()
                .fetchSingle("SELECT generation FROM staged_job_lanes WHERE lane = ?", lane)
                .get(0, long.class);
    }

    @Test
    void whoever_finds_a_newer_generation_publishes_nothing_and_lets_go_if_the_lane_is_another_ones() {
        LaneRunner runner = runner(publisher);
        outbox.stage(topic, KEY, "job");
        runner.runOnce();
        outbox.dsl()
                .execute(
                        "UPDATE staged_job_lanes SET generation = generation + 1, owner = ? WHERE lane = ?",
                        liveEnqueuer(),
                        lane);
        outbox.stage(topic, KEY, "of.the.next.owner");
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.SUPERSEDED);
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.NOT_OURS);
        assertThat(outbox.namesIn(topic)).containsExactly("job");
        assertThat(outbox.waiting()).isEqualTo(1);
    }

    private UUID liveEnqueuer() {
        return outbox.lanes().membership().beat().me();
    }

    @Test
    void an_owner_whose_lane_was_changed_by_hand_begins_again() {
        LaneRunner runner = runner(publisher);
        outbox.stage(topic, KEY, "before");
        runner.runOnce();
        outbox.dsl().execute("UPDATE staged_job_lanes SET generation = generation + 1 WHERE lane = ?", lane);
        outbox.stage(topic, KEY, "after");
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.SUPERSEDED);
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.MOVED);
        assertThat(outbox.namesIn(topic)).containsExactly("before", "after");
    }

    /** Whoever had the lane meanwhile may have left held jobs that only a new ownership finds. */
    @Test
    void an_owner_of_an_empty_lane_notices_a_newer_generation() {
        LaneRunner runner = runner(publisher);
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.IDLE);
        lanes.take(lane);
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.SUPERSEDED);
    }

    @Test
    void a_lane_of_a_live_enqueuer_cannot_be_taken_and_one_of_a_dead_enqueuer_can() throws Exception {
        assertThat(lanes.take(lane)).map(Lanes.Taken::generation).hasValue(1L);
        PostgresLanes other = outbox.lanes();
        other.membership().beat();
        assertThat(other.take(lane)).isEmpty();
        outbox.dsl().execute("UPDATE staged_job_enqueuers SET seen_at = seen_at - interval '1 hour'");
        other.membership().beat();
        assertThat(other.take(lane)).map(Lanes.Taken::generation).hasValue(2L);
        assertThat(lanes.begin(lane, 1)).isEmpty();
    }

    /** The connection is lost on the way and PostgreSQL does not know: its session would keep the lane locked. */
    @Test
    void a_transaction_of_ours_that_lost_its_connection_does_not_keep_us_from_taking_the_lane_again() {
        long generation = lanes.take(lane).orElseThrow().generation();
        LaneTransaction orphan = lanes.begin(lane, generation).orElseThrow();
        assertThat(lanes.take(lane)).map(Lanes.Taken::generation).hasValue(generation + 1);
        assertThatThrownBy(orphan::lastBatch).isInstanceOf(ExternalFailureException.class);
        orphan.close();
    }

    @Test
    void an_enqueuer_of_the_time_before_the_mode_was_changed_takes_no_lane() {
        outbox.dsl().execute("UPDATE staged_job_delivery SET identity = gen_random_uuid()");
        assertThat(lanes.take(lane)).isEmpty();
        assertThatThrownBy(() -> lanes.membership().beat()).hasMessageContaining("has to be started again");
    }

    @Test
    void a_lane_given_back_by_an_older_generation_stays_with_its_owner() {
        lanes.take(lane);
        lanes.take(lane);
        lanes.giveBack(lane, 1);
        assertThat(lanes.membership().beat().owners().get(lane)).isNotNull();
        lanes.giveBack(lane, 2);
        assertThat(lanes.membership().beat().owners().get(lane)).isNull();
    }

    @Test
    void no_transaction_is_open_while_kafka_is_waited_for() {
        outbox.stage(topic, KEY, "job");
        List<Long> open = new ArrayList<>();
        LaneRunner runner = runner(new WatchedPublisher(publisher) {
            @Override
            void opening() {
                open.add(openTransactions());
                if (open.size() < 3) {
                    throw new ExternalFailureException(Origin.KAFKA, "away", null);
                }
            }
        });
        runner.runOnce();
        assertThat(openTransactions()).isZero();
        runner.runOnce();
        assertThat(openTransactions()).isZero();
        runner.runOnce();
        assertThat(open).containsExactly(0L, 0L, 0L);
        assertThat(outbox.waiting()).isZero();
    }

    private long openTransactions() {
        return outbox.dsl()
                .fetchSingle("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        + " AND state LIKE 'idle in transaction%'")
                .get(0, long.class);
    }

    @Test
    void a_batch_is_bounded_in_rows() {
        for (int i = 0; i < 7; i++) {
            outbox.stage(topic, KEY, "job." + i);
        }
        List<Integer> sizes = new ArrayList<>();
        LaneRunner runner = outbox.runner(
                lane,
                lanes,
                new WatchedPublisher(publisher) {
                    @Override
                    void publishing(Batch batch) {
                        sizes.add(batch.jobs().size());
                    }
                },
                System::nanoTime,
                new BatchLimits(3, 1_000_000));
        runner.runOnce();
        runner.runOnce();
        runner.runOnce();
        assertThat(sizes).containsExactly(3, 3, 1);
        assertThat(outbox.namesIn(topic))
                .containsExactly("job.0", "job.1", "job.2", "job.3", "job.4", "job.5", "job.6");
    }

    @Test
    void a_batch_is_bounded_in_bytes_but_never_empty() {
        for (int size : new int[] {500_000, 500_000, 500_000, 10}) {
            outbox.dsl()
                    .execute(
                            "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, 'n', ?)",
                            topic,
                            KEY,
                            new byte[size]);
        }
        List<Integer> sizes = new ArrayList<>();
        Publisher watching = new WatchedPublisher(publisher) {
            @Override
            void publishing(Batch batch) {
                sizes.add(batch.jobs().size());
            }
        };
        LaneRunner runner = outbox.runner(lane, lanes, watching, System::nanoTime, new BatchLimits(500, 600_000));
        runner.runOnce();
        runner.runOnce();
        assertThat(sizes).containsExactly(2, 2);
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, 'n', ?)",
                        topic,
                        KEY,
                        new byte[800_000]);
        LaneRunner narrow = outbox.runner(lane, lanes, watching, System::nanoTime, new BatchLimits(500, 1_000));
        narrow.runOnce();
        assertThat(sizes).containsExactly(2, 2, 1);
        assertThat(outbox.waiting()).isZero();
    }

    @Test
    void a_role_whose_transactions_are_serializable_and_asynchronous_by_default_changes_nothing() {
        outbox.dsl()
                .execute("ALTER DATABASE " + outbox.database.name()
                        + " SET default_transaction_isolation = 'serializable'");
        outbox.dsl().execute("ALTER DATABASE " + outbox.database.name() + " SET synchronous_commit = off");
        PostgresLanes fresh = outbox.lanes();
        fresh.membership().beat();
        outbox.stage(topic, KEY, "job");
        LaneRunner runner = outbox.runner(lane, fresh, publisher);
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.MOVED);
        assertThat(outbox.waiting()).isZero();
    }

    private void onDelete(String body) {
        outbox.dsl()
                .execute("CREATE FUNCTION on_delete() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN " + body + " END$$");
        outbox.dsl()
                .execute("CREATE TRIGGER on_delete BEFORE DELETE ON staged_jobs FOR EACH ROW"
                        + " EXECUTE FUNCTION on_delete()");
    }

    private Publisher publisher(String delivery) {
        return delivery.equals("exactly-once") ? outbox.exactlyOnce() : publisher;
    }

    @ParameterizedTest
    @CsvSource({"exactly-once, 500", "exactly-once, 1", "at-least-once, 500", "at-least-once, 1"})
    void rows_that_the_database_keeps_from_being_deleted_halt_the_lane_and_are_published_once(
            String delivery, int rowsMax) {
        onDelete("RETURN NULL;");
        outbox.stage(topic, KEY, "job");
        LaneRunner runner =
                outbox.runner(lane, lanes, publisher(delivery), System::nanoTime, new BatchLimits(rowsMax, 1_000_000));
        for (int i = 0; i < 3; i++) {
            Step step = runner.runOnce();
            assertThat(step.kind()).isEqualTo(Kind.HALTED);
            assertThat(step.reason()).contains("1 of 1 published jobs", "policy", "trigger", "rule");
        }
        outbox.dsl().execute("DROP TRIGGER on_delete ON staged_jobs");
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.IDLE);
        assertThat(outbox.namesIn(topic)).containsExactly("job");
        assertThat(outbox.waiting()).isZero();
    }

    @ParameterizedTest
    @CsvSource({"exactly-once, 500", "exactly-once, 1", "at-least-once, 500", "at-least-once, 1"})
    void a_delete_that_postgresql_refuses_is_tried_again_before_anything_else_is_published(
            String delivery, int rowsMax) {
        onDelete("RAISE EXCEPTION 'refused';");
        outbox.stage(topic, KEY, "job");
        LaneRunner runner =
                outbox.runner(lane, lanes, publisher(delivery), System::nanoTime, new BatchLimits(rowsMax, 1_000_000));
        for (int i = 0; i < 3; i++) {
            assertThat(runner.runOnce().kind()).isEqualTo(Kind.FAILED);
        }
        outbox.dsl().execute("DROP TRIGGER on_delete ON staged_jobs");
        outbox.stage(topic, KEY, "next");
        assertThat(runner.runOnce().kind()).isEqualTo(Kind.MOVED);
        assertThat(outbox.namesIn(topic)).containsExactly("job", "next");
        assertThat(outbox.waiting()).isZero();
    }
}
