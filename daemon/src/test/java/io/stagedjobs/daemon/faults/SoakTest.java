package io.stagedjobs.daemon.faults;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.FaultProxy.Ending;
import io.stagedjobs.faultkit.FaultProxy.Loss;
import io.stagedjobs.faultkit.FaultProxy.Then;
import io.stagedjobs.faultkit.KafkaFaultProxy;
import io.stagedjobs.faultkit.PostgresFaultProxy;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.protocol.ApiKeys;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Random faults for as long as {@code -Dsoak.minutes} says, under writers that roll back and commit out of order; then
 * everything is healed, and the ledger is compared with what a read_committed reader finds. {@code -Dsoak.seed} has the
 * same faults in the same order again.
 */
@Tag("soak")
class SoakTest {

    private static final Duration LENGTH =
            Duration.ofSeconds((long) (60 * Double.parseDouble(System.getProperty("soak.minutes", "1"))));
    private static final int ENQUEUERS = 3;
    private static final int WRITERS = 3;

    private enum Fault {
        KILL_ENQUEUER,
        STOP_AND_WAKE_ENQUEUER,
        TERMINATE_ENQUEUER,
        KILL_BROKER,
        FREEZE_BROKER,
        CRASH_POSTGRESQL,
        CUT_KAFKA,
        CUT_POSTGRESQL,
        BLACK_HOLE_KAFKA,
        BLACK_HOLE_POSTGRESQL,
        LOSE_KAFKA_COMMIT,
        LOSE_PRODUCE,
        LOSE_SQL_COMMIT,
        END_SESSIONS,
        PAUSE_TOPIC,
        NEW_GENERATIONS
    }

    private final long seed = Long.getLong("soak.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final List<Command.Daemon> daemons = new ArrayList<>();

    private TestPostgres postgres;
    private TestKafka kafka;
    private KafkaFaultProxy toKafka;
    private PostgresFaultProxy toPostgres;
    private TestOutbox outbox;
    private String topic;
    private Map<String, String> environment;
    private Ledger ledger;
    private int started;

    @BeforeEach
    void open() throws Exception {
        postgres = TestPostgres.startEmbedded();
        toKafka = KafkaFaultProxy.beforeNewBroker(Map.of());
        kafka = toKafka.kafka();
        toPostgres = PostgresFaultProxy.before(postgres);
        outbox = new TestOutbox(postgres, kafka, "soak");
        topic = kafka.newTopic("soak", 3);
        ledger = new Ledger(outbox, topic);
        environment = Command.with(
                Command.environment(outbox),
                "STAGED_JOBS_DELIVERY",
                "exactly-once",
                "STAGED_JOBS_BATCH_SIZE",
                "100",
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS",
                toKafka.address(),
                "STAGED_JOBS_DATABASE_URL",
                toPostgres.through(outbox.database).url() + "?socketTimeout=5&connectTimeout=2");
        for (int i = 0; i < ENQUEUERS; i++) {
            daemons.add(daemon());
        }
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
        toPostgres.close();
        toKafka.close();
        postgres.close();
    }

    private Command.Daemon daemon() {
        return new Command.Daemon(outbox, "enqueuer-" + started++, environment);
    }

    @Test
    void under_random_faults_every_committed_job_is_published_once_and_in_the_order_of_its_key() throws Exception {
        System.out.println("soak: " + LENGTH.toSeconds() + " s, seed " + seed);
        int faults = 0;
        long end = System.nanoTime() + LENGTH.toNanos();
        try (Ledger.Load load = ledger.load(WRITERS);
                SlowWriter slow = new SlowWriter()) {
            while (System.nanoTime() - end < 0) {
                load.await(20); // the writers must have got on, so that each fault meets work
                Fault fault = Fault.values()[random.nextInt(Fault.values().length)];
                Duration length = Duration.ofMillis(200 + random.nextInt(3_000));
                System.out.println("soak: " + fault + " for " + length.toMillis() + " ms");
                inflict(fault, length);
                faults++;
            }
        }
        long healed = System.nanoTime();
        ledger.checkDrained();
        System.out.printf(
                "soak: %d faults, drained %.1f s after the last one, seed %d%n",
                faults, (System.nanoTime() - healed) / 1e9, seed);
    }

    private void inflict(Fault fault, Duration length) throws Exception {
        int one = random.nextInt(daemons.size());
        Then then = Then.values()[random.nextInt(Then.values().length)];
        Loss loss = Loss.values()[random.nextInt(Loss.values().length)];
        switch (fault) {
            case KILL_ENQUEUER -> {
                daemons.get(one).process.kill();
                daemons.set(one, daemon());
            }
            case STOP_AND_WAKE_ENQUEUER -> {
                daemons.get(one).process.suspend();
                last(length.plusSeconds(1)); // often past the takeover
                daemons.get(one).process.resume();
            }
            case TERMINATE_ENQUEUER -> {
                daemons.get(one).process.terminate();
                daemons.set(one, daemon());
            }
            case KILL_BROKER -> {
                kafka.kill();
                last(length);
                kafka.startAgain();
            }
            case FREEZE_BROKER -> {
                kafka.suspend();
                last(length);
                kafka.resume();
            }
            case CRASH_POSTGRESQL -> {
                postgres.stopImmediately();
                last(length);
                postgres.startAgain();
            }
            case CUT_KAFKA -> toKafka.cut(Ending.values()[random.nextInt(Ending.values().length)]);
            case CUT_POSTGRESQL -> toPostgres.cut(Ending.values()[random.nextInt(Ending.values().length)]);
            case BLACK_HOLE_KAFKA -> toKafka.stall();
            case BLACK_HOLE_POSTGRESQL -> toPostgres.stall();
            case LOSE_KAFKA_COMMIT -> toKafka.lose(loss, ApiKeys.END_TXN, 1 + random.nextInt(3), then);
            case LOSE_PRODUCE -> toKafka.lose(loss, ApiKeys.PRODUCE, 1 + random.nextInt(3), then);
            case LOSE_SQL_COMMIT -> toPostgres.lose(loss, Network.commitOfBatch(), 1 + random.nextInt(3), then);
            case END_SESSIONS ->
                outbox.dsl()
                        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                + " WHERE application_name LIKE 'staged-jobs%'");
            case PAUSE_TOPIC -> {
                outbox.dsl().execute("INSERT INTO staged_job_pauses (topic) VALUES (?)", topic);
                last(length);
                outbox.dsl().execute("DELETE FROM staged_job_pauses");
            }
            case NEW_GENERATIONS -> outbox.dsl().execute("UPDATE staged_job_lanes SET generation = generation + 1");
        }
        if (fault.name().startsWith("CUT")
                || fault.name().startsWith("BLACK")
                || fault.name().startsWith("LOSE")) {
            last(length);
            toKafka.heal();
            toPostgres.heal();
        }
    }

    /** How long a fault lasts is what is tested here, not what is waited for. */
    private static void last(Duration length) throws InterruptedException {
        TimeUnit.MILLISECONDS.sleep(length.toMillis());
    }

    /** Draws its ids early and commits late, so that lower ids appear after higher ones. */
    private final class SlowWriter implements AutoCloseable {
        private final Thread thread = new Thread(this::write, "slow-writer");
        private volatile boolean ending;

        SlowWriter() {
            thread.start();
        }

        private void write() {
            Random pauses = new Random(seed);
            while (!ending) {
                try (Connection connection = ledger.connect()) {
                    connection.setAutoCommit(false);
                    List<String> names = ledger.stage(connection, "slow", 20, 200);
                    TimeUnit.MILLISECONDS.sleep(pauses.nextInt(1_500));
                    connection.commit();
                    ledger.committed(names);
                } catch (SQLException e) {
                    ending |= Thread.currentThread().isInterrupted(); // the server is away: the next try finds out
                } catch (InterruptedException e) {
                    ending = true;
                }
            }
        }

        @Override
        public void close() throws InterruptedException {
            ending = true;
            thread.join();
        }
    }
}
