package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.testkit.Eventually;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class GateTest {

    private static final Duration LONG = Duration.ofHours(1);
    private static final Duration SHORT = Duration.ofMillis(1);

    private final CountDownLatch inside = new CountDownLatch(1);
    private final CountDownLatch ends = new CountDownLatch(1);

    @Test
    void whoever_comes_when_as_many_as_may_are_in_waits_until_one_has_left() throws Exception {
        Gate gate = new Gate(1, LONG);
        CompletableFuture<String> first = hangIn(gate);
        AtomicBoolean secondIsIn = new AtomicBoolean();
        Thread second = new Thread(() -> gate.inTurn(() -> secondIsIn.getAndSet(true)));
        second.start();
        Eventually.until("the second one waits", () -> second.getState() == Thread.State.TIMED_WAITING);
        assertThat(secondIsIn).isFalse();
        ends.countDown();
        assertThat(first.get(30, TimeUnit.SECONDS)).isEqualTo("ended");
        second.join(30_000);
        assertThat(secondIsIn).isTrue();
    }

    @Test
    void while_there_is_room_nobody_waits() throws Exception {
        Gate gate = new Gate(2, LONG);
        CompletableFuture<String> first = hangIn(gate);
        assertThat(gate.inTurn(() -> "second")).isEqualTo("second");
        assertThat(gate.inTurn(() -> "third")).isEqualTo("third");
        assertThat(first).isNotDone();
        ends.countDown();
        assertThat(first.get(30, TimeUnit.SECONDS)).isEqualTo("ended");
    }

    @Test
    void a_batch_that_hangs_holds_nobody_up_for_long() throws Exception {
        Gate gate = new Gate(1, SHORT);
        CompletableFuture<String> hanging = hangIn(gate);
        assertThat(gate.inTurn(() -> "went by")).isEqualTo("went by");
        assertThat(hanging).isNotDone();
        ends.countDown();
        assertThat(hanging.get(30, TimeUnit.SECONDS)).isEqualTo("ended");
    }

    @Test
    void a_batch_that_fails_and_one_that_went_by_leave_the_gate_as_it_was() throws Exception {
        Gate gate = new Gate(1, SHORT);
        assertThatThrownBy(() -> gate.inTurn(() -> {
                    throw new IllegalStateException("on purpose");
                }))
                .hasMessage("on purpose");
        CompletableFuture<String> hanging = hangIn(gate);
        gate.inTurn(() -> "went by");
        ends.countDown();
        hanging.get(30, TimeUnit.SECONDS);

        Gate patient = new Gate(1, LONG);
        assertThatThrownBy(() -> patient.inTurn(() -> {
                    throw new IllegalStateException("on purpose");
                }))
                .hasMessage("on purpose");
        assertThat(CompletableFuture.supplyAsync(() -> patient.inTurn(() -> "free again"))
                        .get(30, TimeUnit.SECONDS))
                .isEqualTo("free again");
    }

    @Test
    void an_interrupt_ends_the_wait_and_stays_set() {
        Gate gate = new Gate(0, LONG);
        Thread.currentThread().interrupt();
        assertThat(gate.inTurn(() -> "went in")).isEqualTo("went in");
        assertThat(Thread.interrupted()).isTrue();
    }

    /** One that stays in the gate until {@link #ends}. */
    private CompletableFuture<String> hangIn(Gate gate) throws InterruptedException {
        CompletableFuture<String> hanging = CompletableFuture.supplyAsync(() -> gate.inTurn(() -> {
            inside.countDown();
            return until(ends);
        }));
        assertThat(inside.await(30, TimeUnit.SECONDS)).isTrue();
        return hanging;
    }

    private static String until(CountDownLatch latch) {
        try {
            return latch.await(30, TimeUnit.SECONDS) ? "ended" : "in vain";
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
