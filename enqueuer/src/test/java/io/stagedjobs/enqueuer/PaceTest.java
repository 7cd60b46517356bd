package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class PaceTest {

    private final Pace pace = new Pace(new Random(1));

    @Test
    void failures_rest_ever_longer_with_jitter_up_to_ten_seconds_and_a_success_ends_that() {
        for (int failure = 1; failure <= 40; failure++) {
            long ceiling = Math.min(10_000, 200L << Math.min(failure - 1, 20));
            assertThat(pace.failed().toMillis()).isBetween(ceiling / 2 - 1, ceiling);
            assertThat(pace.failures()).isEqualTo(failure);
        }
        assertThat(pace.busy()).isZero();
        assertThat(pace.failures()).isZero();
    }
}
