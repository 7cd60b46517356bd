package io.stagedjobs.enqueuer.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Outbox;
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
