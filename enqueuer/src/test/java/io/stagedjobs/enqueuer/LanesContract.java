package io.stagedjobs.enqueuer;

import static io.stagedjobs.enqueuer.LaneFixture.criteria;
import static io.stagedjobs.enqueuer.LaneFixture.rows;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.enqueuer.ClaimResult.State;
import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.Read;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.Lanes.Reading;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What the lane protocol relies on of {@link Lanes}, whoever implements it. */
interface LanesContract extends LaneFixture {

    // Owners.

    @Test
    default void each_ownership_has_a_generation_of_its_own() {
        long first = lanes().take(LANE).orElseThrow().generation();
        lanes().giveBack(LANE, first);
        assertThat(others().take(LANE)).map(Lanes.Taken::generation).hasValue(first + 1);
        assertThat(others().take(LANE)).map(Lanes.Taken::generation).hasValue(first + 2);
    }

    @Test
    default void a_lane_of_another_that_lives_is_not_taken() {
        long generation = taken();
        assertThat(others().take(LANE)).isEmpty();
        assertThat(others().take(OTHER_LANE)).isPresent();
        assertThat(lanes().begin(LANE, generation)).hasValueSatisfying(LaneTransaction::close);
    }

    @Test
    default void a_lane_of_one_that_lives_no_more_is_taken_and_what_that_has_open_is_ended() {
        Row job = staged(TOPIC, key());
        long generation = taken();
        try (LaneTransaction open = lanes().begin(LANE, generation).orElseThrow()) {
            open.delete(List.of(job), 0);
            dies();
            assertThat(others().take(LANE)).map(Lanes.Taken::generation).hasValue(generation + 1);
            assertThatThrownBy(open::commit).isInstanceOf(ExternalFailureException.class);
        }
        try (LaneTransaction transaction = others().begin(LANE, generation + 1).orElseThrow()) {
            assertThat(inLane(transaction)).containsExactly(job);
        }
    }

    @Test
    default void whoever_takes_its_own_lane_again_ends_what_it_has_open_there() {
        long generation = taken();
        try (LaneTransaction open = lanes().begin(LANE, generation).orElseThrow()) {
            assertThat(lanes().take(LANE)).map(Lanes.Taken::generation).hasValue(generation + 1);
            assertThatThrownBy(open::commit).isInstanceOf(ExternalFailureException.class);
        }
    }

    @Test
    default void only_the_present_ownership_gives_a_lane_back() {
        long first = taken();
        long second = taken();
        lanes().giveBack(LANE, first);
        others().giveBack(LANE, second);
        assertThat(others().take(LANE)).isEmpty();
        lanes().giveBack(LANE, second);
        assertThat(others().take(LANE)).map(Lanes.Taken::generation).hasValue(second + 1);
    }

    @Test
    default void a_transaction_begins_in_the_present_generation_only() {
        long first = taken();
        long second = taken();
        assertThat(lanes().begin(LANE, first)).isEmpty();
        assertThat(lanes().begin(LANE, second + 1)).isEmpty();
        assertThat(others().begin(LANE, second)).hasValueSatisfying(LaneTransaction::close);
        assertThat(lanes().begin(LANE, second)).hasValueSatisfying(LaneTransaction::close);
    }

    @Test
    default void a_transaction_that_waited_for_the_lane_sees_what_was_committed_meanwhile() throws Exception {
        Row first = staged(TOPIC, key());
        Row second = staged(TOPIC, key());
        long generation = taken();
        LaneTransaction holder = lanes().begin(LANE, generation).orElseThrow();
        List<Row> seen = whileItWaits(
                () -> {
                    try (LaneTransaction waiting =
                            others().begin(LANE, generation).orElseThrow()) {
                        return inLane(waiting);
                    }
                },
                () -> {
                    holder.delete(List.of(first), 0);
                    holder.commit();
                    holder.close();
                });
        assertThat(seen).containsExactly(second);
    }

    @Test
    default void lanes_do_not_wait_for_each_other() {
        try (LaneTransaction one = lanes().begin(LANE, taken()).orElseThrow();
                LaneTransaction other = lanes().begin(
                                OTHER_LANE,
                                lanes().take(OTHER_LANE).orElseThrow().generation())
                        .orElseThrow()) {
            one.delete(List.of(), 1);
            assertThat(other.lastBatch()).isZero();
        }
    }

    // Up to where ids can still appear.

    @Test
    default void the_last_id_is_the_last_one_drawn_whatever_became_of_it() {
        Row last = staged(TOPIC, key());
        assertThat(lanes().readHorizon().lastId()).isEqualTo(last.id());
        try (Writer writer = writer()) {
            last = writer.stage(TOPIC, key(), 10);
            assertThat(lanes().readHorizon().lastId()).isEqualTo(last.id());
        }
        assertThat(lanes().readHorizon().lastId()).isEqualTo(last.id());
    }

    @Test
    default void those_who_may_still_commit_an_id_are_named_until_they_are_over() {
        assertThat(lanes().readHorizon().writers()).isEmpty();
        try (Writer first = writer();
                Writer second = writer()) {
            first.stage(TOPIC, key(), 10);
            Set<String> one = lanes().readHorizon().writers();
            assertThat(one).hasSize(1);
            second.stage(TOPIC, key(), 10);
            assertThat(lanes().readHorizon().writers()).hasSize(2).containsAll(one);
            second.commit();
            assertThat(lanes().readHorizon().writers()).isEqualTo(one);
        }
        assertThat(lanes().readHorizon().writers()).isEmpty();
    }

    /** It may have put jobs back, with the ids that they had. */
    @Test
    default void a_lane_transaction_that_has_changed_jobs_is_one_of_those() {
        long generation = taken();
        try (LaneTransaction transaction = lanes().begin(LANE, generation).orElseThrow()) {
            transaction.read(criteria(PLENTY, Blocked.NOTHING, 0));
            assertThat(lanes().readHorizon().writers()).isEmpty();
            transaction.putBack(TOPIC, PLENTY);
            assertThat(lanes().readHorizon().writers()).hasSize(1);
        }
        assertThat(lanes().readHorizon().writers()).isEmpty();
    }

    @Test
    default void a_writer_is_over_when_it_has_committed_or_rolled_back_and_not_before() {
        long generation = taken();
        try (Writer commits = writer();
                Writer rollsBack = writer();
                LaneTransaction transaction = lanes().begin(LANE, generation).orElseThrow()) {
            commits.stage(TOPIC, key(), 10);
            Set<String> first = lanes().readHorizon().writers();
            rollsBack.stage(TOPIC, key(), 10);
            Set<String> both = lanes().readHorizon().writers();
            Set<String> second = Set.copyOf(
                    both.stream().filter(writer -> !first.contains(writer)).toList());
            assertThat(transaction.anyOver(both)).isFalse();
            rollsBack.close();
            assertThat(transaction.anyOver(second)).isTrue();
            assertThat(transaction.anyOver(first)).isFalse();
            assertThat(transaction.anyOver(both)).isTrue();
            commits.commit();
            assertThat(transaction.anyOver(first)).isTrue();
            assertThat(transaction.anyOver(Set.of())).isFalse();
        }
    }

    /** What was not read, and whose writer is not over in the next statement, can be read later only. */
    @Test
    default void what_a_writer_commits_is_read_by_each_statement_that_begins_after_it() {
        long generation = taken();
        try (Writer writer = writer();
                LaneTransaction transaction = lanes().begin(LANE, generation).orElseThrow()) {
            Row late = writer.stage(TOPIC, key(), 10);
            Set<String> writers = lanes().readHorizon().writers();
            Row early = staged(TOPIC, key());
            assertThat(inLane(transaction)).containsExactly(early);
            assertThat(transaction.anyOver(writers)).isFalse();
            writer.commit();
            assertThat(inLane(transaction)).containsExactly(late, early);
            assertThat(transaction.anyOver(writers)).isTrue();
        }
    }

    // What a claim finds.

    private ReadCriteria behind(long after, Set<String> exceptions) {
        return new ReadCriteria(after, exceptions, Blocked.NOTHING, PLENTY);
    }

    private String era() {
        return lanes().readHorizon().era();
    }

    private ClaimResult.State claimed(long generation, String era, ReadCriteria criteria) {
        try (ClaimResult claim = lanes().claim(LANE, generation, era, criteria)) {
            return claim.state();
        }
    }

    @Test
    default void a_lane_is_claimed_if_jobs_lie_behind_the_start_and_with_exactly_those() {
        long generation = taken();
        Row before = staged(TOPIC, key());
        staged(TOPIC, keyElsewhere());
        assertThat(claimed(generation, era(), behind(before.id(), Set.of()))).isEqualTo(State.NOTHING_WAITS);
        Row behind = staged(TOPIC, key());
        try (ClaimResult claim = lanes().claim(LANE, generation, era(), behind(before.id(), Set.of()))) {
            assertThat(claim.state()).isEqualTo(State.CLAIMED);
            assertThat(rows(claim.read().jobs())).containsExactly(behind);
        }
    }

    @Test
    default void a_claim_of_another_generation_is_superseded_and_locks_nothing() {
        long generation = taken();
        staged(TOPIC, key());
        assertThat(claimed(generation - 1, era(), behind(0, Set.of()))).isEqualTo(State.SUPERSEDED);
        assertThat(lanes().begin(LANE, generation)).hasValueSatisfying(LaneTransaction::close);
    }

    @Test
    default void a_lane_is_claimed_without_jobs_if_the_era_is_another_one_or_an_exception_is_over() {
        long generation = taken();
        assertThat(claimed(generation, "another era", behind(0, Set.of()))).isEqualTo(State.CLAIMED);
        try (Writer writer = writer()) {
            writer.stage(TOPIC, keyElsewhere(), 10);
            Reading horizon = lanes().readHorizon();
            ReadCriteria criteria = behind(horizon.lastId(), horizon.writers());
            assertThat(claimed(generation, horizon.era(), criteria)).isEqualTo(State.NOTHING_WAITS);
            writer.close();
            assertThat(claimed(generation, horizon.era(), criteria)).isEqualTo(State.CLAIMED);
        }
    }

    @Test
    default void a_claim_that_waited_for_the_lane_reads_what_was_committed_meanwhile() throws Exception {
        Row first = staged(TOPIC, key());
        Row second = staged(TOPIC, key());
        long generation = taken();
        LaneTransaction holder = lanes().begin(LANE, generation).orElseThrow();
        String era = holder.era();
        List<Row> seen = whileItWaits(
                () -> {
                    try (ClaimResult claim = others().claim(LANE, generation, era, behind(0, Set.of()))) {
                        return rows(claim.read().jobs());
                    }
                },
                () -> {
                    holder.delete(List.of(first), 0);
                    holder.commit();
                    holder.close();
                });
        assertThat(seen).containsExactly(second);
    }

    @Test
    default void reading_ahead_finds_all_that_became_visible_but_what_is_in_hand() {
        long generation = taken();
        try (Writer late = writer()) {
            Row lower = late.stage(TOPIC, key(), 10);
            staged(TOPIC, key());
            staged(TOPIC, key());
            Row third = staged(TOPIC, key());
            ReadCriteria two = new ReadCriteria(0, Set.of(), Blocked.NOTHING, new BatchLimits(2, 1_000_000));
            try (ClaimResult claim = lanes().claim(LANE, generation, era(), two)) {
                List<Job> inHand = claim.read().jobs();
                assertThat(inHand).hasSize(2);
                late.commit();
                Read ahead = lanes().readAhead(LANE, era(), two, inHand).orElseThrow();
                assertThat(rows(ahead.jobs())).containsExactly(lower, third);
                assertThat(ahead.full()).isTrue();
            }
        }
    }

    @Test
    default void what_is_read_ahead_is_worth_nothing_in_another_era_or_when_an_exception_is_over() {
        taken();
        Row job = staged(TOPIC, key());
        try (Writer writer = writer()) {
            writer.stage(TOPIC, key(), 10);
            Set<String> open = lanes().readHorizon().writers();
            assertThat(lanes().readAhead(LANE, era(), behind(0, open), List.of()))
                    .hasValueSatisfying(read -> assertThat(rows(read.jobs())).containsExactly(job));
            assertThat(lanes().readAhead(LANE, "another era", behind(0, open), List.of()))
                    .isEmpty();
            writer.close();
            assertThat(lanes().readAhead(LANE, era(), behind(0, open), List.of()))
                    .isEmpty();
        }
    }

    @Test
    default void one_server_has_one_era() {
        String era = lanes().readHorizon().era();
        assertThat(committed(LaneTransaction::era)).isEqualTo(era);
        assertThat(others().readHorizon().era()).isEqualTo(era);
    }

    @Test
    default void a_new_lane_is_empty_and_has_no_batch() {
        committed(transaction -> {
            assertThat(transaction.lastBatch()).isZero();
            assertThat(rows(transaction
                            .read(criteria(PLENTY, Blocked.NOTHING, 0))
                            .jobs()))
                    .isEmpty();
            assertThat(transaction.aside()).isEqualTo(new LaneTransaction.Stored(Set.of(), false));
            return null;
        });
        assertThat(lanes().readHorizon().lastId()).isZero();
    }
}
