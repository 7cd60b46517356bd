package io.stagedjobs.enqueuer.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.stagedjobs.enqueuer.Membership;
import io.stagedjobs.enqueuer.Outbox;
import io.stagedjobs.enqueuer.diagnosis.Work;
import io.stagedjobs.schema.Schema;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PostgresMembershipTest {

    private static final int LANE = 3;

    private Outbox outbox;

    @BeforeEach
    void open() {
        outbox = new Outbox("members");
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private Object registeredAt(UUID enqueuer) {
        return outbox.dsl()
                .fetchSingle("SELECT started_at FROM staged_job_enqueuers WHERE enqueuer = ?", enqueuer)
                .get(0);
    }

    @Test
    void a_heartbeat_renews_the_row_and_writes_nothing_else_of_it() {
        PostgresMembership membership = outbox.lanes().membership();
        UUID me = membership.beat().me();
        Object before = registeredAt(me);
        membership.beat();
        assertThat(registeredAt(me)).isEqualTo(before);
    }

    @Test
    void the_problems_that_an_enqueuer_reports_replace_those_that_it_reported_before() {
        PostgresMembership membership = outbox.lanes().membership();
        String me = membership.beat().me().toString();
        membership.report(List.of(
                new Membership.Problem("kafka", "no \"answer\"\0, {}", Duration.ofSeconds(90)),
                new Membership.Problem("lane 3", "x".repeat(100_000), Duration.ZERO)));
        List<Work.Problem> told =
                StatusReader.problems(outbox.dsl(), Schema.PUBLIC).get(me);
        assertThat(told)
                .extracting(Work.Problem::place, problem -> problem.reason().substring(0, 13))
                .containsExactly(tuple("kafka", "no \"answer\" ,"), tuple("lane 3", "x".repeat(13)));
        assertThat(told.get(0).lastingSeconds()).isGreaterThanOrEqualTo(90);
        assertThat(told.get(1).reason()).hasSizeLessThan(3_000);
        membership.report(List.of());
        assertThat(StatusReader.problems(outbox.dsl(), Schema.PUBLIC)).isEmpty();
    }

    @Test
    void an_enqueuer_that_was_forgotten_registers_anew_and_gets_no_lane_back_that_was_taken() {
        PostgresLanes forgotten = outbox.lanes();
        PostgresLanes heir = outbox.lanes();
        UUID me = forgotten.membership().beat().me();
        heir.membership().beat();
        long generation = forgotten.take(LANE).orElseThrow().generation();
        forgotten.take(LANE + 1);
        outbox.dsl().execute("DELETE FROM staged_job_enqueuers WHERE enqueuer = ?", me);
        assertThat(heir.take(LANE).orElseThrow().generation()).isEqualTo(generation + 1);

        assertThat(forgotten.membership().beat().ours())
                .as("what nobody took meanwhile")
                .containsExactly(LANE + 1);
        assertThat(forgotten.take(LANE)).isEmpty();
        assertThat(forgotten.begin(LANE, generation)).isEmpty();
    }
}
