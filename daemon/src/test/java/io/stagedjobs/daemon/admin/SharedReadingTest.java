package io.stagedjobs.daemon.admin;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class SharedReadingTest {

    private final AtomicLong nanos = new AtomicLong();
    private final AtomicInteger readings = new AtomicInteger();

    @Test
    void who_asks_within_a_second_gets_the_same_reading_and_who_asks_later_another_one() throws Exception {
        try (SharedReading<Integer> shared =
                new SharedReading<>("test", Duration.ofSeconds(1), nanos::get, readings::incrementAndGet)) {
            assertThat(shared.ask().get()).isEqualTo(1);
            nanos.addAndGet(Duration.ofMillis(900).toNanos());
            assertThat(shared.ask().get()).isEqualTo(1);
            nanos.addAndGet(Duration.ofMillis(200).toNanos());
            assertThat(shared.ask().get()).isEqualTo(2);
        }
    }
}
