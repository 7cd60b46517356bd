package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.FaultProxy.Direction;
import io.stagedjobs.faultkit.FaultProxy.Ending;
import io.stagedjobs.faultkit.FaultProxy.Loss;
import io.stagedjobs.faultkit.FaultProxy.Then;
import io.stagedjobs.faultkit.KafkaFaultProxy;
import io.stagedjobs.faultkit.PlannedFault;
import io.stagedjobs.testkit.Eventually;
import java.time.Duration;
import java.util.Map;
import org.apache.kafka.common.protocol.ApiKeys;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One enqueuer of the mode exactly-once that lives through every fault of its networks, one test after the other. Each
 * test has topics of its own.
 */
class NetworkFaultsTest {

    private static final int KEYS = 40;
    private static final int JOBS_OF_A_KEY = 25;
    private static final int BATCH_SIZE = 50;
    private static final Duration SOON = Duration.ofSeconds(60);

    private static KafkaFaultProxy kafka;
    private static Network network;
    private static Map<String, String> environment;
    private static Command.Daemon enqueuer;

    private Checker checker;

    @BeforeAll
    static void start() {
        kafka = KafkaFaultProxy.beforeNewBroker(Map.of());
        network = new Network(kafka, "network");
        environment = environment(network);
        enqueuer = network.start("enqueuer", environment);
    }

    /** Small batches, so that each fault finds one under way; short patience, so that silence ends soon. */
    private static Map<String, String> environment(Network network) {
        return network.environment(
                "?socketTimeout=2&connectTimeout=2",
                "STAGED_JOBS_PUBLISH_TIMEOUT",
                "2500ms",
                "STAGED_JOBS_BATCH_SIZE",
                "" + BATCH_SIZE);
    }

    @AfterAll
    static void stop() throws Exception {
        network.close();
        kafka.close();
    }

    /** What comes next shall meet connections and producers at work. */
    @BeforeEach
    void move_a_first_job_of_each_key() throws Exception {
        checker = network.checker();
        checker.stage(KEYS, 1);
        checker.awaitDrained();
    }

    @AfterEach
    void heal() {
        network.heal();
    }

    private void awaitTrouble() throws Exception {
        Eventually.until("it is not ready", () -> !enqueuer.isReady());
        assertThat(network.outbox.waiting()).isPositive();
    }

    private void assertItCameBack() throws Exception {
        checker.assertExactlyOnce();
        Eventually.until("it is ready", enqueuer::isReady);
    }

    @ParameterizedTest
    @EnumSource(
            value = ApiKeys.class,
            names = {"PRODUCE", "END_TXN"})
    void a_request_to_kafka_that_is_lost_or_whose_answer_is_lost_has_its_effect_once(ApiKeys request) throws Exception {
        for (Then then : Then.values()) {
            for (Loss loss : Loss.values()) {
                PlannedFault lost = network.toKafka.lose(loss, request, 3, then);
                checker.stage(KEYS, JOBS_OF_A_KEY);
                lost.await(SOON);
                checker.awaitDrained();
            }
        }
        checker.assertExactlyOnce();
    }

    @Test
    void an_init_producer_id_whose_answer_is_lost_is_asked_again() throws Exception {
        for (Then then : Then.values()) {
            PlannedFault lost = network.toKafka.lose(Loss.ANSWER, ApiKeys.INIT_PRODUCER_ID, 3, then);
            // As after a requeue: every lane is acquired anew, with a new producer.
            network.outbox.dsl().execute("UPDATE staged_job_lanes SET generation = generation + 1");
            checker.stage(KEYS, JOBS_OF_A_KEY);
            lost.await(SOON);
            checker.awaitDrained();
        }
        assertItCameBack();
    }

    @Test
    void a_kafka_commit_of_which_no_answer_comes_is_found_out_by_acquiring() throws Exception {
        long foundOutBefore = foundOut();
        PlannedFault committed = network.toKafka.lose(Loss.ANSWER, ApiKeys.END_TXN, 1, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        committed.await(SOON);
        network.toKafka.stall(Direction.TO_CLIENT); // nor of the client's next tries
        awaitTrouble();
        network.heal();
        assertItCameBack();
        assertThat(foundOut()).isGreaterThan(foundOutBefore);
    }

    private static long foundOut() {
        return enqueuer.process.output().stream()
                .filter(line -> line.contains("was in Kafka already"))
                .count();
    }

    @ParameterizedTest
    @EnumSource(Then.class)
    void a_commit_of_a_batch_that_postgresql_has_done_or_never_seen_is_found_out_by_acquiring(Then then)
            throws Exception {
        for (Loss loss : Loss.values()) {
            long foundOutBefore = foundOut();
            PlannedFault lost = network.toPostgres.lose(loss, Network.commitOfBatch(), 3, then);
            checker.stage(KEYS, JOBS_OF_A_KEY);
            lost.await(SOON);
            network.heal(); // now PostgreSQL hears of it when the client gives the connection up
            checker.awaitDrained();
            assertThat(foundOut()).isEqualTo(foundOutBefore + (loss == Loss.REQUEST ? 1 : 0));
        }
        assertItCameBack();
    }

    @Test
    void connections_to_kafka_that_are_cut_in_mid_batch_cost_no_job() throws Exception {
        cutInMidBatch(Ending.CLOSE);
        network.heal(); // at once: the clients' own retries must do
        checker.awaitDrained();
        cutInMidBatch(Ending.RESET);
        awaitTrouble();
        network.heal();
        assertItCameBack();
    }

    private void cutInMidBatch(Ending ending) throws Exception {
        PlannedFault inMidBatch = network.toKafka.lose(Loss.REQUEST, ApiKeys.PRODUCE, 3, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        inMidBatch.await(SOON);
        network.toKafka.cut(ending);
    }

    @ParameterizedTest
    @EnumSource(Ending.class)
    void a_connection_to_postgresql_that_is_cut_in_mid_batch_costs_no_job(Ending ending) throws Exception {
        PlannedFault inMidBatch = network.toPostgres.lose(Loss.REQUEST, Network.deletion(), 3, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        inMidBatch.await(SOON);
        network.toPostgres.cut(ending);
        awaitTrouble();
        network.heal();
        assertItCameBack();
    }

    @Tag("long")
    @Test
    void a_black_hole_before_kafka_in_mid_batch_costs_no_job() throws Exception {
        PlannedFault inMidBatch = network.toKafka.lose(Loss.REQUEST, ApiKeys.PRODUCE, 3, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        inMidBatch.await(SOON);
        network.toKafka.stall();
        awaitTrouble();
        network.heal();
        assertItCameBack();
    }

    @Test
    void a_black_hole_before_postgresql_in_mid_batch_costs_no_job() throws Exception {
        PlannedFault inMidBatch = network.toPostgres.lose(Loss.REQUEST, Network.deletion(), 3, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        inMidBatch.await(SOON);
        network.toPostgres.stall();
        awaitTrouble();
        network.heal();
        assertItCameBack();
    }

    @Test
    @Tag("long") // two enqueuers that start, take over and share anew
    void an_owner_in_a_black_hole_before_postgresql_is_relieved_and_comes_back_without_harm() throws Exception {
        PlannedFault inMidBatch = network.toPostgres.lose(Loss.REQUEST, Network.commitOfBatch(), 3, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        inMidBatch.await(SOON);
        network.toPostgres.stall();
        Map<String, String> past = Command.with(environment, "STAGED_JOBS_DATABASE_URL", network.outbox.database.url());
        try (Command.Daemon heir = network.start("heir", past)) {
            checker.awaitDrained();
            network.heal();
            Eventually.until("both own lanes", () -> network.owners() == 2);
            checker.stage(KEYS, JOBS_OF_A_KEY);
            assertItCameBack();
        }
    }

    /** The two named points of a batch that lie in the network: see {@link Failpoints}. */
    @Tag("long")
    @Test
    void killed_after_either_commit_was_sent_and_before_its_answer_came_nothing_is_lost_and_nothing_comes_twice()
            throws Exception {
        try (Network other = new Network(kafka, "killed")) {
            Checker jobs = other.checker();
            for (boolean ofKafka : new boolean[] {true, false}) {
                Command.Daemon victim = other.start("victim", environment(other));
                jobs.stage(KEYS, 1);
                jobs.awaitDrained();
                PlannedFault sent = ofKafka
                        ? other.toKafka.lose(Loss.ANSWER, ApiKeys.END_TXN, 3, Then.SILENCE)
                        : other.toPostgres.lose(Loss.ANSWER, Network.commitOfBatch(), 3, Then.SILENCE);
                jobs.stage(KEYS, JOBS_OF_A_KEY);
                sent.await(SOON);
                victim.process.kill();
                other.heal();
                try (Command.Daemon heir = other.start("heir", environment(other))) {
                    jobs.awaitDrained();
                }
            }
            jobs.assertExactlyOnce();
        }
    }

    @Test
    void at_least_once_repeats_no_batch_whose_commit_was_lost_on_the_way_while_the_enqueuer_lives() throws Exception {
        try (Network other = new Network(kafka, "at_least_once")) {
            other.start("at-least-once", Command.with(environment(other), "STAGED_JOBS_DELIVERY", "at-least-once"));
            Checker jobs = other.checker();
            PlannedFault answer = other.toPostgres.lose(Loss.ANSWER, Network.commitOfBatch(), 3, Then.CUT);
            jobs.stage(KEYS, JOBS_OF_A_KEY);
            answer.await(SOON);
            assertThat(jobs.assertAtLeastOnce()).as("duplicates").isZero();
            PlannedFault request = other.toPostgres.lose(Loss.REQUEST, Network.commitOfBatch(), 3, Then.CUT);
            jobs.stage(KEYS, JOBS_OF_A_KEY);
            request.await(SOON);
            assertThat(jobs.assertAtLeastOnce()).as("duplicates").isZero();
        }
    }
}
