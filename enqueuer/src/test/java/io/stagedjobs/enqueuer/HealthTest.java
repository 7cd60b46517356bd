package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HealthTest {

    private static final int LANES = 4;

    private final Health health = new Health();
    private final ExecutorService threads = Executors.newFixedThreadPool(LANES);

    @BeforeEach
    void works() {
        health.reached(Origin.POSTGRESQL);
        health.reached(Origin.KAFKA);
    }

    @AfterEach
    void close() {
        threads.shutdownNow();
    }

    @Test
    void lanes_that_are_halted_for_the_same_reason_are_told_together_and_others_apart() {
        assertThat(health.laneHalted(0, "the database has settled batch 7, but Kafka holds no progress of it")
                        .like())
                .isEmpty();
        assertThat(health.laneHalted(2, "the database has settled batch 12, but Kafka holds no progress of it")
                        .like())
                .hasValue(0);
        assertThat(health.laneHalted(3, "rows cannot be deleted").like()).isEmpty();
        health.laneFailed(4, Origin.KAFKA, "no answer");
        assertThat(health.summary())
                .containsExactly(
                        "kafka: lane 4: no answer",
                        "lanes 0, 2, of which lane 0: the database has settled batch 7, but Kafka holds no progress"
                                + " of it",
                        "lane 3: rows cannot be deleted");
        assertThat(health.problems()).containsOnlyKeys("kafka", "lane 0", "lane 2", "lane 3");
        assertThat(health.lanesHalted()).isEqualTo(3);
        assertThat(health.lasting())
                .as("for other processes")
                .extracting(Membership.Problem::place)
                .containsExactly("kafka", "lane 0", "lane 2", "lane 3");
        health.laneWorks(0);
        health.laneWorks(2);
        assertThat(health.summary()).hasSize(2);
    }

    /** The log gives the reason for that one only: it must not be missing, nor be there twice. */
    @Test
    void of_lanes_that_halt_at_the_same_moment_exactly_one_is_like_no_other() throws Exception {
        for (int round = 0; round < 200; round++) {
            Health together = new Health();
            CyclicBarrier start = new CyclicBarrier(LANES);
            List<Future<Health.Halted>> all = new ArrayList<>();
            for (int lane = 0; lane < LANES; lane++) {
                int mine = lane;
                all.add(threads.submit(() -> {
                    start.await();
                    return together.laneHalted(mine, "Kafka holds batch " + mine);
                }));
            }
            int first = 0;
            for (Future<Health.Halted> each : all) {
                first += each.get().like().isEmpty() ? 1 : 0;
            }
            assertThat(first).isEqualTo(1);
        }
    }
}
