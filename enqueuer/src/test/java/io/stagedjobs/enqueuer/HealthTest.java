package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HealthTest {

    private final Health health = new Health();

    @BeforeEach
    void works() {
        health.reached(Origin.POSTGRESQL);
        health.reached(Origin.KAFKA);
    }

    @Test
    void lanes_that_are_halted_for_the_same_reason_are_told_together_and_others_apart() {
        health.laneHalted(0, "the database has settled batch 7, but Kafka holds no progress of it");
        assertThat(health.haltedAlike(0)).isEmpty();
        health.laneHalted(2, "the database has settled batch 12, but Kafka holds no progress of it");
        assertThat(health.haltedAlike(2)).hasValue(0);
        health.laneHalted(3, "rows cannot be deleted");
        assertThat(health.haltedAlike(3)).isEmpty();
        health.laneFailed(4, Origin.KAFKA, "no answer");
        assertThat(health.told())
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
        assertThat(health.told()).hasSize(2);
    }
}
