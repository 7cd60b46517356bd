package io.stagedjobs.enqueuer;

import static io.stagedjobs.enqueuer.LaneFixture.criteria;
import static io.stagedjobs.enqueuer.LaneFixture.held;
import static io.stagedjobs.enqueuer.LaneFixture.parked;
import static io.stagedjobs.enqueuer.LaneFixture.rows;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.PutBack;
import io.stagedjobs.enqueuer.LaneTransaction.Read;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.LaneTransaction.Stored;
import io.stagedjobs.enqueuer.LaneTransaction.Swept;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** What the lane protocol relies on of {@link LaneTransaction}, whoever implements it. */
interface LaneTransactionContract extends LaneFixture {

    /** Of payload: what else counts for a job's size is much less. */
    int LARGE = 1_000;

    /** Is reached by the second large job. */
    long BYTES_OF_TWO = LARGE * 3 / 2;

    Blocked FOLLOWERS = new Blocked(Set.of(), Map.of(), true);

    private static List<Row> read(LaneTransaction transaction, Blocked blocked) {
        return rows(transaction.read(criteria(PLENTY, blocked, 0)).jobs());
    }

    private List<Row> staged(int jobs, String topic, int payloadBytes) {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < jobs; i++) {
            rows.add(staged(topic, key(), payloadBytes));
        }
        return rows;
    }

    private void moveAside(LaneTransaction.Moved... moved) {
        committed(transaction -> {
            transaction.moveAside(List.of(moved));
            return null;
        });
    }

    private PutBack putBack(BatchLimits limits) {
        return committed(transaction -> transaction.putBack(TOPIC, limits));
    }

    /** Does it in a transaction that takes it back. */
    private void undone(Step<?> step) {
        try (LaneTransaction transaction = lanes().begin(LANE, taken()).orElseThrow()) {
            step.in(transaction);
        }
    }

    // Read.

    @Test
    default void jobs_are_read_in_the_order_of_their_ids_whichever_was_committed_first() {
        try (Writer slow = writer()) {
            Row first = slow.stage(TOPIC, key(), 10);
            Row second = staged(OTHER_TOPIC, null);
            Row third = staged(TOPIC, key());
            assertThat(inLane()).containsExactly(second, third);
            slow.commit();
            assertThat(inLane()).containsExactly(first, second, third);
        }
    }

    @Test
    default void a_read_begins_behind_an_id_and_stays_in_its_lane() {
        Row first = staged(TOPIC, key());
        staged(TOPIC, keyElsewhere());
        Row last = staged(TOPIC, key());
        committed(transaction -> {
            assertThat(rows(transaction
                            .read(criteria(PLENTY, Blocked.NOTHING, 0))
                            .jobs()))
                    .containsExactly(first, last);
            assertThat(rows(transaction
                            .read(criteria(PLENTY, Blocked.NOTHING, first.id()))
                            .jobs()))
                    .containsExactly(last);
            assertThat(transaction.read(criteria(PLENTY, Blocked.NOTHING, last.id())))
                    .isEqualTo(new Read(List.of(), false));
            return null;
        });
    }

    @Test
    default void a_read_that_has_found_as_many_jobs_as_it_may_is_full() {
        List<Row> jobs = staged(3, TOPIC, 10);
        committed(transaction -> {
            Read two = transaction.read(criteria(new BatchLimits(2, 1_000_000), Blocked.NOTHING, 0));
            assertThat(rows(two.jobs())).isEqualTo(jobs.subList(0, 2));
            assertThat(two.full()).isTrue();
            Read three = transaction.read(criteria(new BatchLimits(3, 1_000_000), Blocked.NOTHING, 0));
            assertThat(rows(three.jobs())).isEqualTo(jobs);
            assertThat(three.full()).isTrue();
            Read four = transaction.read(criteria(new BatchLimits(4, 1_000_000), Blocked.NOTHING, 0));
            assertThat(rows(four.jobs())).isEqualTo(jobs);
            assertThat(four.full()).isFalse();
            return null;
        });
    }

    @Test
    default void a_read_exceeds_its_bytes_by_one_job_at_most_and_is_full_then() {
        List<Row> jobs = staged(3, TOPIC, LARGE);
        committed(transaction -> {
            for (Blocked blocked : List.of(Blocked.NOTHING, FOLLOWERS)) {
                Read one = transaction.read(criteria(new BatchLimits(10, 1), blocked, 0));
                assertThat(rows(one.jobs())).isEqualTo(jobs.subList(0, 1));
                assertThat(one.full()).isTrue();
                Read two = transaction.read(criteria(new BatchLimits(10, BYTES_OF_TWO), blocked, 0));
                assertThat(rows(two.jobs())).isEqualTo(jobs.subList(0, 2));
                assertThat(two.full()).isTrue();
                Read all = transaction.read(criteria(new BatchLimits(10, 3 * BYTES_OF_TWO), blocked, 0));
                assertThat(rows(all.jobs())).isEqualTo(jobs);
                assertThat(all.full()).isFalse();
            }
            return null;
        });
    }

    @Test
    default void a_job_is_read_as_it_was_staged() {
        Row with = staged(TOPIC, key(), LARGE);
        Row without = staged(OTHER_TOPIC, null, 0);
        committed(transaction -> {
            List<Job> jobs =
                    transaction.read(criteria(PLENTY, Blocked.NOTHING, 0)).jobs();
            assertThat(rows(jobs)).containsExactly(with, without);
            assertThat(jobs).extracting(Job::topic).containsExactly(TOPIC, OTHER_TOPIC);
            assertThat(jobs).extracting(Job::key).containsExactly(key(), null);
            assertThat(jobs.get(0).payload()).hasSize(LARGE);
            return null;
        });
    }

    @Test
    default void topics_that_take_nothing_are_left_out_and_do_not_count() {
        staged(TOPIC, key());
        staged(TOPIC, null);
        Row first = staged(OTHER_TOPIC, key());
        Row second = staged(OTHER_TOPIC, null);
        committed(transaction -> {
            Blocked blocked = new Blocked(Set.of(TOPIC, "another"), Map.of(), false);
            assertThat(read(transaction, blocked)).containsExactly(first, second);
            Read bounded = transaction.read(criteria(new BatchLimits(1, 1_000_000), blocked, 0));
            assertThat(rows(bounded.jobs())).containsExactly(first);
            assertThat(bounded.full()).isTrue();
            return null;
        });
    }

    @Test
    default void of_a_topic_that_returns_only_jobs_before_the_given_id_are_read() {
        Row first = staged(TOPIC, key());
        Row second = staged(TOPIC, null);
        Row third = staged(OTHER_TOPIC, key());
        staged(TOPIC, key());
        committed(transaction -> {
            assertThat(read(transaction, new Blocked(Set.of(), Map.of(TOPIC, second.id()), false)))
                    .containsExactly(first, third);
            return null;
        });
    }

    @Test
    default void what_follows_a_parked_job_of_its_topic_and_key_is_left_out_and_nothing_else() {
        Row before = staged(TOPIC, key());
        Row parked = staged(TOPIC, key());
        Row follower = staged(TOPIC, key());
        Row ofOtherKey = staged(TOPIC, keys().get(1));
        Row ofOtherTopic = staged(OTHER_TOPIC, key());
        Row withoutKey = staged(TOPIC, null);
        moveAside(parked(parked));
        committed(transaction -> {
            assertThat(read(transaction, FOLLOWERS)).containsExactly(before, ofOtherKey, ofOtherTopic, withoutKey);
            assertThat(read(transaction, Blocked.NOTHING))
                    .containsExactly(before, follower, ofOtherKey, ofOtherTopic, withoutKey);
            return null;
        });
    }

    @Test
    default void nothing_follows_a_held_job_nor_a_parked_one_without_a_key() {
        Row held = staged(TOPIC, key());
        Row withoutKey = staged(TOPIC, null);
        Row later = staged(TOPIC, key());
        Row laterWithoutKey = staged(TOPIC, null);
        moveAside(held(held), parked(withoutKey));
        committed(transaction -> {
            assertThat(read(transaction, FOLLOWERS)).containsExactly(later, laterWithoutKey);
            return null;
        });
    }

    // Delete, and remember the batch.

    @Test
    default void only_jobs_are_deleted_of_which_both_halves_match() {
        Row first = staged(TOPIC, key());
        Row second = staged(TOPIC, key());
        Row third = staged(TOPIC, null);
        Row fourth = staged(TOPIC, key());
        Row elsewhere = staged(TOPIC, keyElsewhere());
        committed(transaction -> {
            List<Row> asked = List.of(
                    fourth,
                    new Row(second.id(), UUID.randomUUID()),
                    new Row(third.id(), first.jobId()),
                    first,
                    elsewhere,
                    new Row(elsewhere.id() + 100, UUID.randomUUID()));
            assertThat(transaction.delete(asked, 0).rows()).isEqualTo(2);
            assertThat(inLane(transaction)).containsExactly(second, third);
            assertThat(transaction.delete(List.of(first), 0).rows()).isZero();
            assertThat(transaction.delete(List.of(), 0).rows()).isZero();
            return null;
        });
        assertThat(inLane()).containsExactly(second, third);
    }

    @Test
    default void what_is_deleted_meanwhile_is_gone_for_whatever_is_asked_next() {
        Row first = staged(TOPIC, key());
        Row second = staged(TOPIC, key());
        committed(transaction -> {
            transaction.deleteMeanwhile(List.of(second, new Row(first.id(), UUID.randomUUID())), 1);
            assertThat(inLane(transaction)).containsExactly(first);
            assertThat(transaction.deletedMeanwhile().rows()).isEqualTo(1);
            return null;
        });
        assertThat(inLane()).containsExactly(first);
        assertThat(committed(LaneTransaction::lastBatch)).isEqualTo(1);
    }

    @Test
    default void a_deletion_is_taken_back_without_what_was_done_before_it() {
        List<Row> jobs = staged(3, TOPIC, 10);
        committed(transaction -> {
            transaction.delete(jobs.subList(0, 1), 1);
            transaction.deleteMeanwhile(jobs.subList(1, 3), 2);
            transaction.takeBackDeletion();
            assertThat(inLane(transaction)).isEqualTo(jobs.subList(1, 3));
            assertThat(transaction.lastBatch()).isEqualTo(1);
            assertThat(transaction.delete(jobs.subList(1, 2), 2).rows()).isEqualTo(1);
            return null;
        });
        assertThat(inLane()).containsExactly(jobs.get(2));
        assertThat(committed(LaneTransaction::lastBatch)).isEqualTo(2);
    }

    @Test
    default void what_is_deleted_meanwhile_is_taken_back_with_its_transaction() {
        Row job = staged(TOPIC, key());
        undone(transaction -> {
            transaction.deleteMeanwhile(List.of(job), 1);
            return null;
        });
        assertThat(inLane()).containsExactly(job);
        assertThat(committed(LaneTransaction::lastBatch)).isZero();
    }

    @Test
    default void the_last_batch_takes_the_place_of_the_one_before() {
        for (long batch = 1; batch <= 3; batch++) {
            long number = batch;
            committed(transaction -> {
                transaction.delete(List.of(), number);
                assertThat(transaction.lastBatch()).isEqualTo(number);
                return null;
            });
            assertThat(committed(LaneTransaction::lastBatch)).isEqualTo(number);
        }
    }

    @Test
    default void the_channel_is_the_lanes_from_its_commit_on() {
        assertThat(lanes().take(LANE)).map(Lanes.Taken::channel).hasValue(0);
        try (LaneTransaction transaction = lanes().begin(LANE, taken()).orElseThrow()) {
            transaction.useChannel(1);
        }
        assertThat(lanes().take(LANE)).map(Lanes.Taken::channel).hasValue(0);
        committed(transaction -> {
            transaction.useChannel(1);
            return null;
        });
        assertThat(lanes().take(LANE)).map(Lanes.Taken::channel).hasValue(1);
        assertThat(lanes().take(OTHER_LANE)).map(Lanes.Taken::channel).hasValue(0);
    }

    @Test
    default void what_is_not_committed_is_taken_back() {
        List<Row> jobs = staged(4, TOPIC, 10);
        moveAside(held(jobs.get(2)), parked(jobs.get(3)));
        undone(transaction -> {
            transaction.delete(List.of(), 1);
            transaction.delete(jobs.subList(0, 1), 0);
            transaction.moveAside(List.of(held(jobs.get(1))));
            transaction.putBack(TOPIC, PLENTY);
            transaction.deleteAside(List.of(jobs.get(3)));
            assertThat(transaction.lastBatch()).isEqualTo(1);
            assertThat(inLane(transaction)).containsExactly(jobs.get(1), jobs.get(2));
            assertThat(transaction.aside()).isEqualTo(new Stored(Set.of(), false));
            return null;
        });
        committed(transaction -> {
            assertThat(transaction.lastBatch()).isZero();
            assertThat(inLane(transaction)).isEqualTo(jobs.subList(0, 2));
            assertThat(transaction.aside()).isEqualTo(new Stored(Set.of(TOPIC), true));
            return null;
        });
    }

    @Test
    default void jobs_are_present_in_the_lane_and_aside() {
        Row inLane = staged(TOPIC, key());
        Row held = staged(TOPIC, key());
        Row parked = staged(OTHER_TOPIC, null);
        Row gone = staged(TOPIC, key());
        Row notAsked = staged(TOPIC, key());
        Row elsewhere = staged(TOPIC, keyElsewhere());
        moveAside(held(held), parked(parked));
        committed(transaction -> {
            transaction.delete(List.of(gone), 0);
            assertThat(transaction.present(
                            List.of(parked.id(), gone.id(), held.id(), inLane.id(), elsewhere.id(), 1_000_000L)))
                    .containsExactlyInAnyOrder(inLane, held, parked);
            assertThat(transaction.present(List.of())).isEmpty();
            assertThat(inLane(transaction)).containsExactly(inLane, notAsked);
            return null;
        });
    }

    // Aside.

    @Test
    default void only_jobs_are_deleted_aside_that_are_there_and_of_which_both_halves_match() {
        Row inLane = staged(TOPIC, key());
        Row held = staged(TOPIC, key());
        Row parked = staged(OTHER_TOPIC, key());
        Row stays = staged(TOPIC, key());
        moveAside(held(held), parked(parked), held(stays));
        committed(transaction -> {
            assertThat(transaction.deleteAside(List.of(parked, inLane, held, new Row(stays.id(), UUID.randomUUID()))))
                    .isEqualTo(2);
            return null;
        });
        committed(transaction -> {
            assertThat(transaction.aside()).isEqualTo(new Stored(Set.of(TOPIC), false));
            assertThat(transaction.present(List.of(inLane.id(), held.id(), parked.id(), stays.id())))
                    .containsExactlyInAnyOrder(inLane, stays);
            assertThat(transaction.deleteAside(List.of())).isZero();
            return null;
        });
    }

    @Test
    default void only_jobs_are_moved_aside_of_which_both_halves_match() {
        Row first = staged(TOPIC, key());
        Row second = staged(OTHER_TOPIC, key());
        Row third = staged(TOPIC, key());
        committed(transaction -> {
            transaction.moveAside(List.of());
            transaction.moveAside(List.of(parked(first), held(new Row(second.id(), UUID.randomUUID()))));
            assertThat(inLane(transaction)).containsExactly(second, third);
            assertThat(transaction.aside()).isEqualTo(new Stored(Set.of(), true));
            return null;
        });
        assertThat(inLane()).containsExactly(second, third);
    }

    @Test
    default void topics_with_held_jobs_are_told_and_whether_any_is_parked() {
        Row first = staged(TOPIC, key());
        Row second = staged(OTHER_TOPIC, key());
        Row third = staged(TOPIC, null);
        moveAside(held(first), held(second));
        assertThat(committed(LaneTransaction::aside)).isEqualTo(new Stored(Set.of(TOPIC, OTHER_TOPIC), false));
        moveAside(parked(third));
        assertThat(committed(LaneTransaction::aside)).isEqualTo(new Stored(Set.of(TOPIC, OTHER_TOPIC), true));
        long other = lanes().take(OTHER_LANE).orElseThrow().generation();
        try (LaneTransaction transaction = lanes().begin(OTHER_LANE, other).orElseThrow()) {
            assertThat(transaction.aside()).isEqualTo(new Stored(Set.of(), false));
        }
    }

    @Test
    default void a_sweep_holds_what_its_topic_refuses_and_parks_what_follows() {
        Row parked = staged(TOPIC, key());
        Row follower = staged(TOPIC, key());
        Row free = staged(TOPIC, keys().get(1));
        Row refused = staged(OTHER_TOPIC, key());
        Row withoutKey = staged(TOPIC, null);
        moveAside(parked(parked));
        committed(transaction -> {
            assertThat(transaction.sweep(Map.of(OTHER_TOPIC, MISSING), PLENTY, 0))
                    .isEqualTo(new Swept(2, Long.MAX_VALUE));
            assertThat(inLane(transaction)).containsExactly(free, withoutKey);
            assertThat(transaction.aside()).isEqualTo(new Stored(Set.of(OTHER_TOPIC), true));
            assertThat(transaction.putBack(TOPIC, PLENTY)).isEqualTo(new PutBack(0, OptionalLong.empty()));
            assertThat(transaction.putBack(OTHER_TOPIC, PLENTY)).isEqualTo(new PutBack(1, OptionalLong.empty()));
            assertThat(inLane(transaction)).containsExactly(free, refused, withoutKey);
            assertThat(transaction.present(List.of(follower.id()))).containsExactly(follower);
            return null;
        });
    }

    @Test
    default void a_follower_whose_topic_refuses_is_held() {
        Row parked = staged(TOPIC, key());
        Row follower = staged(TOPIC, key());
        moveAside(parked(parked));
        committed(transaction -> {
            assertThat(transaction.sweep(Map.of(TOPIC, MISSING), PLENTY, 0)).isEqualTo(new Swept(1, Long.MAX_VALUE));
            assertThat(transaction.putBack(TOPIC, PLENTY).rows()).isEqualTo(1);
            assertThat(inLane(transaction)).containsExactly(follower);
            return null;
        });
    }

    @Test
    default void a_sweep_looks_at_so_many_jobs_and_says_how_far_it_came() {
        Row before = staged(TOPIC, key());
        Row free = staged(OTHER_TOPIC, key());
        Row blocked = staged(TOPIC, key());
        Row later = staged(TOPIC, key());
        committed(transaction -> {
            Map<String, Refusal> refused = Map.of(TOPIC, MISSING);
            BatchLimits two = new BatchLimits(2, 1_000_000);
            assertThat(transaction.sweep(refused, two, before.id())).isEqualTo(new Swept(1, blocked.id()));
            assertThat(inLane(transaction)).containsExactly(before, free, later);
            assertThat(transaction.sweep(refused, two, blocked.id())).isEqualTo(new Swept(1, Long.MAX_VALUE));
            assertThat(inLane(transaction)).containsExactly(before, free);
            assertThat(transaction.sweep(Map.of(), new BatchLimits(1, 1_000_000), 0))
                    .isEqualTo(new Swept(0, before.id()));
            return null;
        });
    }

    @Test
    default void a_sweep_that_had_to_leave_blocked_jobs_came_no_further_than_its_start() {
        Row first = staged(OTHER_TOPIC, key());
        List<Row> jobs = staged(3, TOPIC, LARGE);
        committed(transaction -> {
            Map<String, Refusal> refused = Map.of(TOPIC, MISSING);
            BatchLimits limits = new BatchLimits(10, BYTES_OF_TWO);
            assertThat(transaction.sweep(refused, limits, first.id())).isEqualTo(new Swept(2, first.id()));
            assertThat(inLane(transaction)).containsExactly(first, jobs.get(2));
            assertThat(transaction.sweep(refused, limits, first.id())).isEqualTo(new Swept(1, Long.MAX_VALUE));
            return null;
        });
    }

    @Test
    default void held_jobs_return_in_their_order_as_they_were_and_so_many_at_once() {
        List<Row> jobs = staged(3, TOPIC, 10);
        Row ofOtherTopic = staged(OTHER_TOPIC, key());
        Row parked = staged(TOPIC, null);
        List<Job> before = committed(transaction ->
                transaction.read(criteria(PLENTY, Blocked.NOTHING, 0)).jobs().subList(0, 3));
        moveAside(held(jobs.get(2)), held(jobs.get(0)), held(jobs.get(1)), held(ofOtherTopic), parked(parked));
        Row later = staged(TOPIC, key());
        assertThat(putBack(new BatchLimits(2, 1_000_000)))
                .isEqualTo(new PutBack(2, OptionalLong.of(jobs.get(2).id())));
        assertThat(inLane()).containsExactly(jobs.get(0), jobs.get(1), later);
        assertThat(putBack(PLENTY)).isEqualTo(new PutBack(1, OptionalLong.empty()));
        assertThat(putBack(PLENTY)).isEqualTo(new PutBack(0, OptionalLong.empty()));
        List<Job> after = committed(transaction ->
                transaction.read(criteria(PLENTY, Blocked.NOTHING, 0)).jobs());
        assertThat(after.subList(0, 3)).usingRecursiveComparison().isEqualTo(before);
        assertThat(committed(LaneTransaction::aside)).isEqualTo(new Stored(Set.of(OTHER_TOPIC), true));
    }

    @Test
    default void so_many_bytes_return_at_once_exceeded_by_one_job_at_most() {
        List<Row> jobs = staged(3, TOPIC, LARGE);
        moveAside(held(jobs.get(0)), held(jobs.get(1)), held(jobs.get(2)));
        committed(transaction -> {
            assertThat(transaction.putBack(TOPIC, new BatchLimits(10, BYTES_OF_TWO)))
                    .isEqualTo(new PutBack(2, OptionalLong.of(jobs.get(2).id())));
            assertThat(inLane(transaction)).isEqualTo(jobs.subList(0, 2));
            return null;
        });
    }
}
