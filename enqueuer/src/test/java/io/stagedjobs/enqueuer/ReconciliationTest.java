package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Progress.JobRef;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What a lane's new owner concludes from what the database and Kafka remember of each other. */
class ReconciliationTest {

    private static Progress kafka(long batch, JobRef... jobs) {
        return new Progress(0, batch, List.of(jobs));
    }

    private static void assertHalted(Optional<String> contradiction, String words) {
        assertThat(contradiction)
                .hasValueSatisfying(reason -> assertThat(reason).contains(words));
    }

    @Test
    void nothing_ever_published_agrees_with_nothing_ever_settled() {
        assertThat(Reconciliation.compare(0, 0, Progress.NONE, Map.of())).isEmpty();
    }

    @Test
    void a_batch_that_is_settled_agrees() {
        assertThat(Reconciliation.compare(0, 7, kafka(7, new JobRef(1, 11)), Map.of()))
                .isEmpty();
    }

    @Test
    void kafka_may_be_one_batch_ahead_whatever_part_of_its_rows_is_left() {
        Progress ahead = kafka(8, new JobRef(1, 11), new JobRef(2, 22));
        assertThat(Reconciliation.compare(0, 7, ahead, Map.of(1L, 11L, 2L, 22L)))
                .isEmpty();
        assertThat(Reconciliation.compare(0, 7, ahead, Map.of(2L, 22L))).isEmpty();
        assertThat(Reconciliation.compare(0, 0, kafka(1, new JobRef(1, 11)), Map.of(1L, 11L)))
                .isEmpty();
    }

    @Test
    void kafka_two_batches_ahead_means_that_the_database_was_put_back_or_copied() {
        assertHalted(Reconciliation.compare(0, 7, kafka(9), Map.of()), "put back to an earlier state");
    }

    @Test
    void kafka_behind_means_that_it_lost_something_or_that_the_database_is_a_copy() {
        assertHalted(Reconciliation.compare(0, 7, kafka(6), Map.of()), "Kafka lost what it had acknowledged");
    }

    @Test
    void a_higher_channel_in_kafka_means_that_the_database_was_put_back_or_copied_whatever_the_numbers_say() {
        Progress under = kafka(7).under(2);
        assertThat(Reconciliation.compare(2, 7, under, Map.of())).isEmpty();
        assertThat(Reconciliation.compare(3, 7, under, Map.of())).isEmpty();
        assertHalted(Reconciliation.compare(1, 7, under, Map.of()), "only knows channel 1");
    }

    @Test
    void no_progress_where_some_is_expected_is_never_taken_for_a_beginning() {
        assertHalted(Reconciliation.compare(0, 7, Progress.NONE, Map.of()), "no progress");
    }

    @Test
    void another_job_under_a_published_id_is_never_deleted() {
        assertHalted(Reconciliation.compare(0, 7, kafka(8, new JobRef(1, 11)), Map.of(1L, 99L)), "another one");
    }

    @Test
    void another_job_under_an_id_of_a_settled_batch_agrees_since_ids_can_be_given_out_anew() {
        assertThat(Reconciliation.compare(0, 7, kafka(7, new JobRef(1, 11)), Map.of(1L, 99L)))
                .isEmpty();
    }

    @Test
    void a_job_of_a_settled_batch_that_waits_again_is_never_published_again() {
        assertHalted(Reconciliation.compare(0, 7, kafka(7, new JobRef(1, 11)), Map.of(1L, 11L)), "waits again");
    }
}
