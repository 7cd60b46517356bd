package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A cluster of three nodes that loses one under an enqueuer of the mode exactly-once. */
@Tag("long")
class ClusterFaultsTest {

    private static final int KEYS = 200;
    private static final int JOBS_OF_A_KEY = 50;
    private static final Duration TRANSACTION_AGE_MAX = Duration.ofSeconds(5);

    private static TestKafka kafka;

    private TestOutbox outbox;

    @BeforeAll
    static void startCluster() {
        kafka = TestKafka.startEmbeddedCluster(3, Map.of());
    }

    @AfterAll
    static void stopCluster() {
        kafka.close();
    }

    @BeforeEach
    void open() {
        outbox = new TestOutbox(TestPostgres.shared(), kafka, "cluster");
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private Command.Daemon enqueuer() {
        return enqueuer("exactly-once");
    }

    private Command.Daemon enqueuer(String delivery) {
        return new Command.Daemon(
                outbox,
                "enqueuer",
                Command.with(
                        Command.environment(outbox),
                        "STAGED_JOBS_DELIVERY",
                        delivery,
                        "STAGED_JOBS_BATCH_SIZE",
                        "100"));
    }

    private String doctor(String delivery) {
        return Command.run(Command.with(Command.environment(outbox), "STAGED_JOBS_DELIVERY", delivery), "doctor")
                .out();
    }

    @Test
    void a_leader_and_coordinator_that_is_killed_is_replaced_by_another_node_and_costs_no_job() throws Exception {
        Checker checker = new Checker(outbox, kafka.newTopic("leaders", 6));
        enqueuer();
        checker.stage(KEYS, 1);
        checker.awaitDrained();
        int victim = coordinator();
        try (TransactionAges ages = new TransactionAges(outbox)) {
            checker.stage(KEYS, JOBS_OF_A_KEY);
            long waiting = outbox.waiting();
            Eventually.until("some are published", () -> outbox.waiting() < waiting);
            assertThat(outbox.waiting()).isPositive();
            kafka.kill(victim);
            Duration drained = checker.awaitDrained();
            System.out.printf(
                    "node %d killed: drained by the other two within %d ms; oldest transaction %d ms%n",
                    victim, drained.toMillis(), ages.oldest().toMillis());
            checker.assertExactlyOnce();
            kafka.startAgain(victim);
            checker.stage(KEYS, 1);
            checker.assertExactlyOnce();
            assertThat(ages.oldest()).isLessThanOrEqualTo(TRANSACTION_AGE_MAX);
        }
    }

    /** The node that coordinates the transactions of some lane, which with three nodes leads partitions too. */
    private int coordinator() throws Exception {
        String transactionalId = kafka.admin().listTransactions().all().get(30, TimeUnit.SECONDS).stream()
                .map(TransactionListing::transactionalId)
                .filter(id -> id.startsWith("staged-jobs-"))
                .findFirst()
                .orElseThrow();
        return kafka.admin()
                .describeTransactions(Set.of(transactionalId))
                .description(transactionalId)
                .get(30, TimeUnit.SECONDS)
                .coordinatorId();
    }

    /**
     * Nothing was under way to it when its only broker died: a transaction that was cannot be ended before it is back.
     */
    @ParameterizedTest
    @ValueSource(strings = {"exactly-once", "at-least-once"})
    void a_topic_without_a_leader_is_held_and_the_others_flow(String delivery) throws Exception {
        String sick = "sick-" + outbox.database.name();
        kafka.admin()
                .createTopics(
                        Set.of(new NewTopic(sick, Map.of(0, List.of(2))).configs(Map.of("min.insync.replicas", "1"))))
                .all()
                .get(30, TimeUnit.SECONDS);
        String healthy = kafka.newTopic("healthy", 3);
        Checker ofSick = new Checker(outbox, sick);
        Checker ofHealthy = new Checker(outbox, healthy);
        enqueuer(delivery);
        ofSick.stage(KEYS / 10, 1);
        ofHealthy.stage(KEYS, 1);
        ofHealthy.awaitDrained();
        Eventually.until(
                "Kafka has ended every transaction",
                () -> kafka.admin().listTransactions().all().get(30, TimeUnit.SECONDS).stream()
                        .noneMatch(transaction -> transaction.state() == TransactionState.PREPARE_COMMIT));
        kafka.kill(2);
        try {
            ofSick.stage(KEYS / 10, JOBS_OF_A_KEY);
            ofHealthy.stage(KEYS, JOBS_OF_A_KEY);
            Duration drained = ofHealthy.awaitDrained();
            System.out.printf("%s: sick topic held, the others drained within %d ms%n", delivery, drained.toMillis());
            assertThat(outbox.aside())
                    .hasSize(KEYS / 10 * JOBS_OF_A_KEY)
                    .allMatch(job -> job.endsWith(" held: topic unavailable"));
            assertThat(doctor(delivery))
                    .contains("topic " + sick + " takes nothing now: its partition 0 has no leader");
        } finally {
            kafka.startAgain(2);
        }
        Eventually.until("nothing is held", () -> outbox.aside().isEmpty());
        if (delivery.equals("exactly-once")) {
            ofSick.assertExactlyOnce();
            ofHealthy.assertExactlyOnce();
        } else {
            ofSick.assertAtLeastOnce();
            ofHealthy.assertAtLeastOnce();
        }
    }

    /**
     * Each batch of each of the eight lanes has a job for that topic, so that some transaction cannot be ended: its
     * lane goes on under another channel.
     */
    @ParameterizedTest
    @CsvSource({"without a leader, 2, 1", "with too few replicas, 1 2, 2"})
    void a_topic_that_loses_its_broker_in_mid_transaction_does_not_keep_the_others(
            String how, String replicas, String inSyncMin) throws Exception {
        String sick = "sick-" + how.replace(' ', '-') + "-" + outbox.database.name();
        List<Integer> nodes =
                Arrays.stream(replicas.split(" ")).map(Integer::valueOf).toList();
        kafka.admin()
                .createTopics(
                        Set.of(new NewTopic(sick, Map.of(0, nodes)).configs(Map.of("min.insync.replicas", inSyncMin))))
                .all()
                .get(30, TimeUnit.SECONDS);
        Checker ofSick = new Checker(outbox, sick);
        Checker ofHealthy = new Checker(outbox, kafka.newTopic("healthy", 3));
        enqueuer();
        ofSick.stage(KEYS / 10, 1);
        ofHealthy.stage(KEYS, 1);
        ofHealthy.awaitDrained();
        for (int i = 0; i < JOBS_OF_A_KEY; i++) {
            ofSick.stage(KEYS / 10, 1);
            ofHealthy.stage(KEYS, 1);
        }
        long waiting = outbox.waiting();
        Eventually.until("some are published", () -> outbox.waiting() < waiting);
        kafka.kill(2);
        try {
            Duration drained = ofHealthy.awaitDrained();
            ofHealthy.assertExactlyOnce();
            System.out.printf(
                    "topic %s: of %d waiting jobs the others were drained within %d ms, %d lane(s) under another"
                            + " channel%n",
                    how, waiting, drained.toMillis(), lanesUnderAnotherChannel());
            assertThat(lanesUnderAnotherChannel()).isPositive();
        } finally {
            kafka.startAgain(2);
        }
        Eventually.until("nothing is held", () -> outbox.aside().isEmpty());
        ofSick.stage(KEYS / 10, 1);
        ofHealthy.stage(KEYS, 1);
        ofSick.assertExactlyOnce();
        ofHealthy.assertExactlyOnce();
    }

    private long lanesUnderAnotherChannel() {
        return outbox.dsl()
                .fetchSingle("SELECT count(*) FROM staged_job_lanes WHERE channel > 0")
                .get(0, long.class);
    }

    @Test
    void a_topic_with_too_few_replicas_in_sync_takes_its_jobs_when_they_are_back() throws Exception {
        String strict = "strict-" + outbox.database.name();
        kafka.admin()
                .createTopics(Set.of(new NewTopic(strict, Map.of(0, List.of(1, 2), 1, List.of(2, 1)))))
                .all()
                .get(30, TimeUnit.SECONDS);
        Checker checker = new Checker(outbox, strict);
        Command.Daemon enqueuer = enqueuer();
        checker.stage(KEYS, 1);
        checker.awaitDrained();
        try (TransactionAges ages = new TransactionAges(outbox)) {
            kafka.kill(2);
            checker.stage(KEYS, JOBS_OF_A_KEY);
            Eventually.until("it is not ready", () -> !enqueuer.isReady());
            assertThat(enqueuer.get("health/ready").body()).contains("\"kafka\":");
            assertThat(outbox.waiting()).isEqualTo(KEYS * JOBS_OF_A_KEY);
            kafka.startAgain(2);
            Duration drained = checker.awaitDrained();
            System.out.printf(
                    "replicas back: drained within %d ms; oldest transaction %d ms%n",
                    drained.toMillis(), ages.oldest().toMillis());
            checker.assertExactlyOnce();
            Eventually.until("it is ready", enqueuer::isReady);
            assertThat(ages.oldest()).isLessThanOrEqualTo(TRANSACTION_AGE_MAX);
        }
    }
}
