package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class WakeableSleepTest {

    private static final Duration LONG = Duration.ofHours(1);
    private static final Duration SHORT = Duration.ofMillis(1);

    private final WakeableSleep rest = new WakeableSleep();

    @Test
    void a_light_rest_is_ended_by_a_wake_up_during_it_or_just_before_it() throws Exception {
        rest.wake();
        assertThat(rest.take(LONG, true)).isTrue();
        CompletableFuture<Boolean> resting = CompletableFuture.supplyAsync(() -> rest.take(LONG, true));
        rest.wake();
        assertThat(resting.get(30, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void a_wake_up_is_over_after_one_rest() {
        rest.wake();
        assertThat(rest.take(SHORT)).isTrue();
        long start = System.nanoTime();
        assertThat(rest.take(Duration.ofMillis(50), true)).isTrue();
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(50_000_000);
    }

    @Test
    void a_rest_after_a_failure_is_not_cut_short_by_a_wake_up() {
        rest.wake();
        long start = System.nanoTime();
        assertThat(rest.take(Duration.ofMillis(50))).isTrue();
        assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(50_000_000);
    }

    @Test
    void told_to_end_no_rest_is_taken_any_more() throws Exception {
        CompletableFuture<Boolean> resting = CompletableFuture.supplyAsync(() -> rest.take(LONG));
        rest.end();
        assertThat(resting.get(30, TimeUnit.SECONDS)).isFalse();
        assertThat(rest.take(LONG, true)).isFalse();
    }

    @Test
    void an_interrupt_counts_as_being_told_to_end_and_stays_set() {
        Thread.currentThread().interrupt();
        assertThat(rest.take(LONG)).isFalse();
        assertThat(Thread.interrupted()).isTrue();
    }
}
