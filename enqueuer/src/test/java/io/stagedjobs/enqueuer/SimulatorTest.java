package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/**
 * Thousands of interleavings of the lane protocol, and protocols that are broken on purpose to see that the simulator
 * would notice. {@link Simulation} tells what is modelled and how to repeat a seed.
 */
class SimulatorTest {

    private static final int RUNS = 10_000;

    /** Within so many seeds each broken protocol has to be found. */
    private static final int RUNS_UNTIL_FOUND = 20_000;

    private static final Logger DECISIONS = (Logger) LoggerFactory.getLogger("io.stagedjobs.enqueuer");

    private final Turns turns = new Turns();

    /** Every fault is warned of, and there are millions. */
    @BeforeAll
    static void beQuiet() {
        DECISIONS.setLevel(Level.OFF);
    }

    @AfterAll
    static void beLoud() {
        DECISIONS.setLevel(null);
    }

    @Test
    void no_interleaving_loses_repeats_or_overtakes_a_job_and_all_drain_when_the_trouble_is_over() {
        Long onlySeed = Long.getLong("model.seed");
        long first = onlySeed == null ? 1 : onlySeed;
        long runs = Long.getLong("model.runs", onlySeed == null ? RUNS : 1);
        long began = System.nanoTime();
        long steps = 0;
        long published = 0;
        long wentOn = 0;
        for (long seed = first; seed < first + runs; seed++) {
            Simulation.Result result = Simulation.run(seed, Flaw.NONE, turns);
            if (result.violation() != null) {
                fail(result.story(onlySeed == null ? 100 : Integer.MAX_VALUE));
            }
            steps += result.steps();
            published += result.published();
            wentOn += result.channels() > 1 ? 1 : 0;
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        System.out.printf(
                "%d interleavings from seed %d in %.1f s (%.0f a second): %d steps, %d jobs published, %d went on under"
                        + " another channel%n",
                runs, first, seconds, runs / seconds, steps, published, wentOn);
        if (onlySeed != null && runs == 1) {
            System.out.println(Simulation.traced(first, Flaw.NONE, turns).story(Integer.MAX_VALUE));
        }
    }

    @Test
    void the_same_seed_is_the_same_story() {
        for (long seed = 1; seed <= 50; seed++) {
            assertThat(Simulation.traced(seed, Flaw.NONE, turns)).isEqualTo(Simulation.traced(seed, Flaw.NONE, turns));
        }
    }

    private void assertFound(Flaw flaw) {
        for (long seed = 1; seed <= RUNS_UNTIL_FOUND; seed++) {
            Simulation.Result result = Simulation.run(seed, flaw, turns);
            if (result.violation() != null) {
                System.out.printf("%s is found at seed %d: %s%n", flaw, seed, result.violation());
                return;
            }
        }
        fail(flaw + " was not found within " + RUNS_UNTIL_FOUND + " seeds");
    }

    @Test
    void deleting_before_kafkas_commit_is_known_is_found() {
        assertFound(Flaw.DELETES_BEFORE_KAFKAS_COMMIT_IS_KNOWN);
    }

    @Test
    void skipping_the_reconcile_is_found() {
        assertFound(Flaw.SKIPS_THE_RECONCILE);
    }

    @Test
    void skipping_locked_rows_is_found() {
        assertFound(Flaw.SKIPS_LOCKED_ROWS);
    }

    @Test
    void the_highest_id_as_progress_is_found() {
        assertFound(Flaw.TAKES_THE_HIGHEST_ID_FOR_PROGRESS);
    }

    @Test
    void not_checking_the_generation_is_found() {
        assertFound(Flaw.DOES_NOT_CHECK_THE_GENERATION);
    }

    @Test
    void reading_ahead_from_where_the_batch_in_hand_ends_is_found() {
        assertFound(Flaw.READS_AHEAD_FROM_WHERE_THE_BATCH_ENDS);
    }

    @Test
    void reading_ahead_what_is_in_hand_is_found() {
        assertFound(Flaw.READS_THE_BATCH_IN_HAND_AHEAD);
    }

    @Test
    void not_leaving_out_what_follows_a_parked_job_is_found() {
        assertFound(Flaw.DOES_NOT_LEAVE_FOLLOWERS_OUT);
    }

    @Test
    void not_fencing_the_earlier_owner_is_found() {
        assertFound(Flaw.DOES_NOT_FENCE);
    }

    @Test
    void deleting_up_to_the_last_id_is_found() {
        assertFound(Flaw.DELETES_UP_TO_THE_LAST_ID);
    }

    @Test
    void not_taking_back_the_deletion_of_what_kafka_did_not_take_is_found() {
        assertFound(Flaw.DOES_NOT_TAKE_A_DELETION_BACK);
    }

    @Test
    void a_floor_that_does_not_wait_for_writers_is_found() {
        assertFound(Flaw.FLOOR_DOES_NOT_WAIT_FOR_WRITERS);
    }

    @Test
    void a_floor_that_forgets_its_exceptions_is_found() {
        assertFound(Flaw.FLOOR_FORGETS_ITS_EXCEPTIONS);
    }

    @Test
    void taking_a_lock_for_an_open_transaction_is_found() {
        assertFound(Flaw.TAKES_A_LOCK_FOR_AN_OPEN_TRANSACTION);
    }

    @Test
    void a_floor_that_passes_blocked_jobs_is_found() {
        assertFound(Flaw.SWEEP_CLAIMS_MORE_THAN_IT_LOOKED_AT);
    }

    @Test
    void going_on_under_another_channel_after_a_gap_of_generations_is_found() {
        assertFound(Flaw.GOES_ON_AFTER_A_GAP_OF_GENERATIONS);
    }

    @Test
    void using_a_channel_before_it_is_committed_is_found() {
        assertFound(Flaw.USES_A_CHANNEL_BEFORE_IT_IS_COMMITTED);
    }

    @Test
    void reading_the_channel_before_the_generation_is_taken_is_found() {
        assertFound(Flaw.READS_THE_CHANNEL_BEFORE_IT_TAKES_THE_GENERATION);
    }

    @Test
    void taking_a_prepared_end_for_decided_is_found() {
        assertFound(Flaw.TAKES_A_PREPARED_END_FOR_DECIDED);
    }

    @Test
    void a_copy_that_does_not_look_at_the_channel_is_found() {
        assertFound(Flaw.PROGRESS_DOES_NOT_NAME_ITS_CHANNEL);
    }

    @Test
    void publishing_what_a_crash_of_postgresql_takes_back_is_found() {
        assertFound(Flaw.DOES_NOT_FLUSH_THE_LOG);
    }
}
