package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Step.Kind;
import io.stagedjobs.enqueuer.kafka.ExactlyOncePublisher;
import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.nio.file.Path;
import java.util.Map;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * A real copy of a cluster's files, started beside the original when both have settled the same batches: nothing tells
 * them apart until one of them has published. That never ought to be; this is what it comes to.
 */
class EqualCopyTest {

    /** One for each test. */
    private static final int LANES = 3;

    private static TestPostgres postgres;
    private static Outbox outbox;
    private static TestDatabase copied;
    private static DSLContext copy;
    private static String topic;

    private String key;
    private LaneRunner original;
    private LaneRunner ofCopy;

    /** In each lane two batches are settled in both, and one job waits in both. */
    @BeforeAll
    static void copy() {
        postgres = TestPostgres.startEmbedded(Map.of());
        outbox = new Outbox(postgres, TestKafka.shared(), "equal");
        topic = outbox.kafka.newTopic("equal", 1);
        ExactlyOncePublisher publisher = outbox.exactlyOnce();
        for (int lane = 0; lane < LANES; lane++) {
            LaneRunner before = outbox.runner(lane, living(outbox.database), publisher);
            String key = outbox.keyOfLane(topic, lane);
            for (String name : new String[] {"1", "2"}) {
                outbox.stage(topic, key, name + " of lane " + lane);
                assertThat(before.runOnce().kind()).isEqualTo(Kind.MOVED);
            }
            outbox.stage(topic, key, "shared of lane " + lane);
        }
        outbox.dsl().execute("UPDATE staged_job_lanes SET owner = NULL");
        postgres.stop();
        Path files = postgres.copyData();
        postgres.startAgain();
        copied = outbox.keep(postgres.startCopy(files)).database(outbox.database.name());
        copy = DSL.using(copied.dataSource(), SQLDialect.POSTGRES);
    }

    @AfterAll
    static void close() throws Exception {
        outbox.close();
        postgres.close();
    }

    private static Lanes living(TestDatabase database) {
        PostgresLanes lanes = outbox.lanes(database);
        lanes.membership().beat();
        return lanes;
    }

    private void inLane(int lane) {
        key = outbox.keyOfLane(topic, lane);
        original = outbox.runner(lane, living(outbox.database), outbox.exactlyOnce());
        ofCopy = outbox.runner(lane, living(copied), outbox.exactlyOnce());
    }

    private void stageInOriginal(String name) {
        outbox.stage(topic, key, name);
    }

    private void stageInCopy(String name) {
        copy.execute(
                "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, ?, '{}')", topic, key, name);
    }

    private static long settled(DSLContext database, int lane) {
        return database.fetchSingle("SELECT max(batch) FROM staged_job_batches WHERE lane = ?", lane)
                .get(0, long.class);
    }

    private static long waiting(DSLContext database, int lane) {
        return database.fetchSingle("SELECT count(*) FROM staged_jobs WHERE lane = ?", lane)
                .get(0, long.class);
    }

    @Test
    void what_waits_in_both_is_published_once_and_the_other_one_deletes_it() {
        inLane(0);
        assertThat(ofCopy.runOnce().kind()).isEqualTo(Kind.MOVED);
        assertThat(original.runOnce().kind()).isEqualTo(Kind.IDLE);
        assertThat(waiting(outbox.dsl(), 0)).isZero();
        assertThat(settled(outbox.dsl(), 0)).isEqualTo(settled(copy, 0)).isEqualTo(3);
        assertThat(outbox.namesIn(topic)).containsOnlyOnce("shared of lane 0");
    }

    @Test
    void each_fences_the_other_until_ids_clash_and_then_the_later_one_is_halted_without_disturbing_the_first() {
        inLane(1);
        ofCopy.runOnce();
        original.runOnce(); // fences the copy
        for (DSLContext each : new DSLContext[] {outbox.dsl(), copy}) {
            each.execute("SELECT setval('staged_jobs_id_seq', 1000)");
        }
        stageInOriginal("clashing, of the original");
        stageInCopy("clashing, of the copy");
        assertThat(original.runOnce().kind()).isEqualTo(Kind.MOVED);
        assertThat(ofCopy.runOnce().kind()).as("its producer is fenced").isEqualTo(Kind.FAILED);
        Step step = ofCopy.runOnce();
        assertThat(step.kind()).isEqualTo(Kind.HALTED);
        assertThat(step.reason()).contains("is another one than Kafka holds under that id");
        stageInOriginal("the original goes on");
        assertThat(original.runOnce().kind()).isEqualTo(Kind.MOVED);
        assertThat(outbox.namesIn(topic))
                .containsOnlyOnce("shared of lane 1", "clashing, of the original", "the original goes on")
                .doesNotContain("clashing, of the copy");
        assertThat(waiting(copy, 1)).isEqualTo(1);
    }

    @Test
    void one_that_is_two_batches_behind_is_halted_without_fencing_the_other() {
        inLane(2);
        assertThat(original.runOnce().kind()).isEqualTo(Kind.MOVED);
        stageInOriginal("of the original alone");
        assertThat(original.runOnce().kind()).isEqualTo(Kind.MOVED);
        Step step = ofCopy.runOnce();
        assertThat(step.kind()).isEqualTo(Kind.HALTED);
        assertThat(step.reason()).contains("Kafka holds batch 4", "only settled batch 2", "a copy beside the original");
        stageInOriginal("and not disturbed");
        assertThat(original.runOnce().kind()).as("its producer works").isEqualTo(Kind.MOVED);
    }
}
