package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.LaneTransaction.Deleted;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class BatchSizeTest {

    private static final Duration QUICK = Duration.ofMillis(10);
    private static final Job JOB = new Job(1, UUID.randomUUID(), "topic", null, "name", null, null, Instant.EPOCH);

    private final BatchSize size = new BatchSize(new BatchLimits(1_000, 5_000), Duration.ofSeconds(4));

    private int afterFailureOf(int jobs) {
        size.after(Step.unpublished(jobs, null, "no answer in time"), Duration.ofSeconds(4));
        return size.next().rowsMax();
    }

    private int afterSuccessOf(int jobs, Duration took) {
        List<Job> all = Collections.nCopies(jobs, JOB);
        Outcome outcome = new Outcome(all, Map.of(), Map.of(), null);
        size.after(
                Step.moved(new Step.Settled(
                        new Batch(1, all), outcome, List.of(), new Deleted(jobs, Instant.EPOCH), true)),
                took);
        return size.next().rowsMax();
    }

    @Test
    void a_batch_that_kafka_did_not_take_is_tried_with_half_as_many_jobs_down_to_one() {
        assertThat(size.next()).isEqualTo(new BatchLimits(1_000, 5_000));
        assertThat(afterFailureOf(1_000)).isEqualTo(500);
        assertThat(afterFailureOf(500)).isEqualTo(250);
        for (int i = 0; i < 20; i++) {
            afterFailureOf(size.next().rowsMax());
        }
        assertThat(size.next()).isEqualTo(new BatchLimits(1, 5_000));
    }

    @Test
    void a_batch_that_got_through_quickly_allows_twice_as_many_up_to_the_most() {
        afterFailureOf(300);
        assertThat(afterSuccessOf(150, QUICK)).isEqualTo(300);
        assertThat(afterSuccessOf(300, QUICK)).isEqualTo(600);
        assertThat(afterSuccessOf(600, QUICK)).isEqualTo(1_000);
    }

    @Test
    void a_batch_that_got_through_slowly_allows_so_many_that_the_next_takes_a_quarter_of_the_time() {
        assertThat(afterSuccessOf(1_000, Duration.ofSeconds(2))).isEqualTo(500);
        assertThat(afterSuccessOf(500, Duration.ofSeconds(1))).isEqualTo(1_000);
    }

    @Test
    void what_failed_before_kafka_had_a_job_says_nothing_of_the_size() {
        size.after(Step.failed(Origin.POSTGRESQL, "away"), QUICK);
        size.after(Step.of(Step.Kind.IDLE), QUICK);
        assertThat(size.next().rowsMax()).isEqualTo(1_000);
    }
}
