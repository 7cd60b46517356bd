package io.stagedjobs.daemon.faults;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.FaultProxy.Ending;
import io.stagedjobs.faultkit.FaultProxy.Loss;
import io.stagedjobs.faultkit.FaultProxy.Then;
import io.stagedjobs.faultkit.KafkaFaultProxy;
import io.stagedjobs.faultkit.PlannedFault;
import io.stagedjobs.testkit.Eventually;
import java.sql.Connection;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.protocol.ApiKeys;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Faults that last, under an enqueuer of the mode exactly-once with default timeouts. The system property {@code
 * faults.outage.seconds} makes them longer or shorter.
 */
@Tag("long")
class OutagesTest {

    private static final Duration OUTAGE = Duration.ofSeconds(Integer.getInteger("faults.outage.seconds", 120));
    private static final Duration LATE_COMMIT_AFTER = Duration.ofSeconds(60);

    /** No transaction of ours may hold back PostgreSQL's clean-up for longer. */
    private static final Duration TRANSACTION_AGE_MAX = Duration.ofSeconds(5);

    private static final int LANES = 8;
    private static final int KEYS = 400;
    private static final int BACKLOG_OF_EACH_KEY = 500;
    private static final Duration SOON = Duration.ofSeconds(60);
    /** How a broker can be away. */
    enum Absence {
        /** Its process is gone: connections are refused. */
        KILLED,
        /** It neither answers nor refuses. */
        BLACK_HOLE,
        /** Its process is gone, and a proxy or balancer before it takes connections and drops them. */
        DROPPED
    }

    private KafkaFaultProxy kafka;
    private Network network;
    private Checker checker;

    @BeforeEach
    void start() {
        // Or a transaction that has timed out is aborted only up to 10 s later.
        kafka = KafkaFaultProxy.beforeNewBroker(
                Map.of("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"));
        network = new Network(kafka, "outages");
        checker = network.checker();
    }

    @AfterEach
    void stop() throws Exception {
        network.close();
        kafka.close();
    }

    private Command.Daemon enqueuer(String... settings) {
        return network.start("enqueuer", network.environment("", settings));
    }

    private static double kafkaFailures(Command.Daemon daemon) throws Exception {
        OptionalDouble failures = daemon.metric("staged_jobs_failures_total{cause=\"kafka\"}");
        assertThat(failures).isPresent();
        return failures.getAsDouble();
    }

    @ParameterizedTest
    @EnumSource(Absence.class)
    void a_broker_that_is_away_for_long_in_the_middle_of_a_drain_holds_no_transaction_open_and_is_not_run_against(
            Absence absence) throws Exception {
        Command.Daemon enqueuer = enqueuer("STAGED_JOBS_BATCH_SIZE", "200");
        checker.stage(KEYS, 1);
        checker.awaitDrained();
        double failuresBefore = kafkaFailures(enqueuer);
        int linesBefore = enqueuer.process.output().size();
        try (TransactionAges ages = new TransactionAges(network.outbox)) {
            PlannedFault inMidDrain = network.toKafka.forwarded(ApiKeys.PRODUCE, 20);
            checker.stage(KEYS, 50);
            inMidDrain.await(SOON);
            leave(absence);
            long connectionsBefore = network.toKafka.connectionsAccepted();
            assertThat(network.outbox.waiting()).isPositive();
            TimeUnit.NANOSECONDS.sleep(OUTAGE.toNanos()); // this long, and not until something happens
            long connections = network.toKafka.connectionsAccepted() - connectionsBefore;
            double failures = kafkaFailures(enqueuer) - failuresBefore;
            int lines = enqueuer.process.output().size() - linesBefore;
            long waiting = network.outbox.waiting();
            Duration oldest = ages.oldest();
            comeBack(absence);
            Duration drained = checker.awaitDrained();
            System.out.printf(
                    "%s for %d s: oldest transaction %d ms in %d samples, %.0f failed steps, %d connections, %d"
                            + " lines of log; %d jobs drained in %d ms%n",
                    absence,
                    OUTAGE.toSeconds(),
                    oldest.toMillis(),
                    ages.samples(),
                    failures,
                    connections,
                    lines,
                    waiting,
                    drained.toMillis());
            checker.assertExactlyOnce();
            Eventually.until("it is ready", enqueuer::isReady);
            // A lane rests up to 10 s after a failure, after the first few.
            assertThat(failures).as("failed steps").isBetween((double) LANES, LANES * (5 + OUTAGE.toSeconds() / 5.0));
            assertThat(lines).as("lines of log").isLessThan(100 + LANES * 10);
            // The clients' own back-off is up to one try a second for each. Refused ones (KILLED) are not counted.
            assertThat(connections).as("connections tried").isLessThan(100 + 3 * LANES * OUTAGE.toSeconds());
            assertThat(oldest).as("oldest transaction").isLessThanOrEqualTo(TRANSACTION_AGE_MAX);
        }
    }

    @Test
    void what_was_staged_while_the_broker_was_away_is_drained_like_any_other_backlog() throws Exception {
        enqueuer();
        checker.stage(KEYS, 50);
        checker.awaitDrained(); // warms up
        checker.stage(KEYS, BACKLOG_OF_EACH_KEY);
        Duration clean = checker.awaitDrained();
        leave(Absence.KILLED);
        checker.stage(KEYS, BACKLOG_OF_EACH_KEY);
        TimeUnit.NANOSECONDS.sleep(OUTAGE.toNanos()); // this long, and not until something happens
        long waiting = network.outbox.waiting();
        comeBack(Absence.KILLED);
        long back = System.nanoTime();
        Eventually.until("the first is published", () -> network.outbox.waiting() < waiting);
        Duration rest = Duration.ofNanos(System.nanoTime() - back);
        Duration after = checker.awaitDrained();
        System.out.printf(
                "%d jobs drained in %.1f s; as many, %.1f s after a broker that was away for %d s, in %.1f s (%.2f"
                        + " of the clean speed)%n",
                waiting,
                clean.toMillis() / 1e3,
                rest.toMillis() / 1e3,
                OUTAGE.toSeconds(),
                after.toMillis() / 1e3,
                (double) clean.toMillis() / after.toMillis());
        checker.assertExactlyOnce();
    }

    private void leave(Absence absence) {
        switch (absence) {
            case KILLED -> {
                kafka.kafka().kill();
                network.toKafka.cut(Ending.RESET);
            }
            case BLACK_HOLE -> network.toKafka.stall();
            case DROPPED -> kafka.kafka().kill();
        }
    }

    private void comeBack(Absence absence) {
        if (absence != Absence.BLACK_HOLE) {
            kafka.kafka().startAgain();
        }
        network.heal();
    }

    @Test
    void a_kafka_transaction_whose_owner_is_stopped_blocks_readers_no_longer_than_its_timeout() throws Exception {
        Command.Daemon owner = enqueuer("STAGED_JOBS_KAFKA_TRANSACTION_TIMEOUT_MS", "6000");
        checker.stage(KEYS, 1);
        checker.awaitDrained();
        PlannedFault allSent = network.toKafka.lose(Loss.REQUEST, ApiKeys.END_TXN, 1, Then.SILENCE);
        checker.stage(KEYS, 10);
        allSent.await(SOON);
        owner.process.suspend();
        long stopped = System.nanoTime();
        network.outbox.read(checker.topics()); // waits for the end of what is open
        Duration blocked = Duration.ofNanos(System.nanoTime() - stopped);
        owner.process.resume();
        checker.assertExactlyOnce();
        System.out.printf("readers were blocked for %d ms%n", blocked.toMillis());
        assertThat(blocked).isBetween(Duration.ofSeconds(2), Duration.ofSeconds(6 + 3));
    }

    @Test
    void a_transaction_that_stays_open_for_a_minute_is_published_after_its_commit_and_delays_nobody() throws Exception {
        enqueuer();
        checker.stage(KEYS, 1);
        checker.awaitDrained();
        String topic = checker.topics()[0];
        try (Connection late = network.outbox.transaction();
                TransactionAges ages = new TransactionAges(network.outbox)) {
            checker.stage(late, "late ", KEYS, 2);
            Instant opened = Instant.now();
            long deadline = System.nanoTime() + LATE_COMMIT_AFTER.toNanos();
            while (System.nanoTime() < deadline) {
                checker.stage(KEYS, 1);
                checker.awaitDrained();
                TimeUnit.MILLISECONDS.sleep(250); // a steady trickle, not a flood
            }
            assertThat(network.outbox.read(topic))
                    .noneMatch(record -> new String(record.key(), UTF_8).startsWith("late"));
            Duration longest = checker.longestDelay(topic, opened);
            late.commit();
            Duration drained = checker.awaitDrained();
            System.out.printf(
                    "others waited %d ms at most; the late ones were published %d ms after their commit; oldest"
                            + " transaction %d ms%n",
                    longest.toMillis(), drained.toMillis(), ages.oldest().toMillis());
            // On a busy machine; whoever waited for the open transaction would have waited for most of its minute.
            assertThat(longest).isLessThan(Duration.ofSeconds(10));
            assertThat(drained).isLessThan(Duration.ofSeconds(10));
        }
        checker.assertExactlyOnce();
    }
}
