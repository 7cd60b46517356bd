package io.stagedjobs.enqueuer;

import static io.stagedjobs.enqueuer.LaneFixture.rows;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.enqueuer.LaneTransaction.Blocked;
import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.Lanes.Reading;
import io.stagedjobs.enqueuer.Lanes.Start;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What the lane protocol relies on of {@link Lanes}, whoever implements it. */
interface LanesContract extends LaneFixture {

    // Owners.

    @Test
    default void each_ownership_has_a_generation_of_its_own() {
        long first = lanes().take(LANE).orElseThrow();
        lanes().giveBack(LANE, first);
        assertThat(others().take(LANE)).hasValue(first + 1);
        assertThat(others().take(LANE)).hasValue(first + 2);
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
            open.delete(List.of(job));
            dies();
            assertThat(others().take(LANE)).hasValue(generation + 1);
            assertThatThrownBy(open::commit).isInstanceOf(OutsideException.class);
        }
        try (LaneTransaction transaction = others().begin(LANE, generation + 1).orElseThrow()) {
            assertThat(inLane(transaction)).containsExactly(job);
        }
    }

    @Test
    default void whoever_takes_its_own_lane_again_ends_what_it_has_open_there() {
        long generation = taken();
        try (LaneTransaction open = lanes().begin(LANE, generation).orElseThrow()) {
            assertThat(lanes().take(LANE)).hasValue(generation + 1);
            assertThatThrownBy(open::commit).isInstanceOf(OutsideException.class);
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
        assertThat(others().take(LANE)).hasValue(second + 1);
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
                    holder.delete(List.of(first));
                    holder.commit();
                    holder.close();
                });
        assertThat(seen).containsExactly(second);
    }

    @Test
    default void lanes_do_not_wait_for_each_other() {
        try (LaneTransaction one = lanes().begin(LANE, taken()).orElseThrow();
                LaneTransaction other = lanes().begin(
                                OTHER_LANE, lanes().take(OTHER_LANE).orElseThrow())
                        .orElseThrow()) {
            one.recordSettled(1);
            assertThat(other.settled()).isZero();
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
            transaction.read(PLENTY, Blocked.NOTHING, 0);
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

    // What a lane that rests is woken by.

    private Start start(long after, Set<String> exceptions) {
        return new Start(taken(), lanes().readHorizon().era(), after, exceptions);
    }

    @Test
    default void jobs_wait_that_lie_behind_the_start_in_the_lane_itself() {
        Row before = staged(TOPIC, key());
        Start start = start(before.id(), Set.of());
        staged(TOPIC, keyElsewhere());
        assertThat(lanes().waiting(Map.of(LANE, start))).isEmpty();
        Row behind = staged(TOPIC, key());
        assertThat(lanes().waiting(Map.of(LANE, start))).containsExactly(LANE);
        Start later = new Start(start.generation(), start.era(), behind.id(), Set.of());
        assertThat(lanes().waiting(Map.of(LANE, later))).isEmpty();
        assertThat(lanes().waiting(Map.of())).isEmpty();
    }

    @Test
    default void of_several_lanes_those_are_named_in_which_jobs_wait() {
        Start start = start(0, Set.of());
        long other = lanes().take(OTHER_LANE).orElseThrow();
        Map<Integer, Start> both = Map.of(LANE, start, OTHER_LANE, new Start(other, start.era(), 0, Set.of()));
        staged(TOPIC, keyElsewhere());
        assertThat(lanes().waiting(both)).containsExactly(OTHER_LANE);
        staged(TOPIC, key());
        assertThat(lanes().waiting(both)).containsExactlyInAnyOrder(LANE, OTHER_LANE);
    }

    @Test
    default void a_memory_of_another_generation_or_another_era_is_not_to_be_relied_on() {
        Start start = start(0, Set.of());
        assertThat(lanes().waiting(Map.of(LANE, start))).isEmpty();
        Start another = new Start(start.generation(), "another era", 0, Set.of());
        assertThat(lanes().waiting(Map.of(LANE, another))).containsExactly(LANE);
        taken();
        assertThat(lanes().waiting(Map.of(LANE, start))).containsExactly(LANE);
    }

    @Test
    default void a_lane_is_named_when_an_exception_of_its_own_is_over() {
        try (Writer writer = writer()) {
            writer.stage(TOPIC, keyElsewhere(), 10);
            Reading horizon = lanes().readHorizon();
            Start start = start(horizon.lastId(), horizon.writers());
            long other = lanes().take(OTHER_LANE).orElseThrow();
            Map<Integer, Start> both =
                    Map.of(LANE, start, OTHER_LANE, new Start(other, start.era(), horizon.lastId(), Set.of()));
            assertThat(lanes().waiting(both)).isEmpty();
            writer.close();
            assertThat(lanes().waiting(both)).containsExactly(LANE);
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
            assertThat(transaction.settled()).isZero();
            assertThat(rows(transaction.read(PLENTY, Blocked.NOTHING, 0).jobs()))
                    .isEmpty();
            assertThat(transaction.aside()).isEqualTo(new LaneTransaction.Stored(Set.of(), false));
            return null;
        });
        assertThat(lanes().readHorizon().lastId()).isZero();
    }
}
