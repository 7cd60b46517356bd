package io.stagedjobs.enqueuer.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Eventually;
import io.stagedjobs.enqueuer.Outbox;
import io.stagedjobs.enqueuer.cli.Command;
import io.stagedjobs.testkit.FaultProxy;
import io.stagedjobs.testkit.FaultProxy.Ending;
import io.stagedjobs.testkit.FaultProxy.Loss;
import io.stagedjobs.testkit.FaultProxy.Then;
import io.stagedjobs.testkit.Incident;
import io.stagedjobs.testkit.KafkaFaultProxy;
import io.stagedjobs.testkit.PostgresFaultProxy;
import io.stagedjobs.testkit.PostgresFaultProxy.Exchange;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.time.Duration;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.apache.kafka.common.protocol.ApiKeys;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The daemon behind networks that fail. It reaches both servers by proxies; the test goes past them. Mode exactly-once,
 * unless a name says otherwise.
 */
class NetworkFaultsTest {

    private static final int KEYS = 40;
    private static final int JOBS_OF_A_KEY = 50;
    private static final int BATCH_SIZE = 100;
    private static final int LANES = 8;
    private static final Duration SOON = Duration.ofSeconds(60);

    /** The deletion of a batch is the one thing that every way to settle it has in common. */
    private static final Pattern DELETION = Pattern.compile("DELETE FROM \\S*\"staged_jobs\"");

    private static TestKafka kafka;
    private static KafkaFaultProxy toKafka;

    private PostgresFaultProxy toPostgres;
    private Outbox outbox;
    private Checker checker;
    private Map<String, String> environment;

    @BeforeAll
    static void startBroker() {
        kafka = TestKafka.startEmbeddedBehindProxy(Map.of());
        toKafka = kafka.proxy();
    }

    @AfterAll
    static void stopBroker() {
        kafka.close();
    }

    @BeforeEach
    void open() {
        toPostgres = PostgresFaultProxy.before(TestPostgres.shared());
        outbox = new Outbox(TestPostgres.shared(), kafka, "network");
        checker = new Checker(outbox, kafka.newTopic("network", 3), kafka.newTopic("network", 3));
        environment = Command.with(
                Command.environment(outbox),
                "STAGED_JOBS_DELIVERY",
                "exactly-once",
                "STAGED_JOBS_PUBLISH_TIMEOUT",
                "2s",
                "STAGED_JOBS_BATCH_SIZE",
                "" + BATCH_SIZE,
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS",
                toKafka.address(),
                "STAGED_JOBS_DATABASE_URL",
                toPostgres.through(outbox.database).url() + "?socketTimeout=3&connectTimeout=2");
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
        toPostgres.close();
        toKafka.heal();
    }

    private Command.Daemon daemon(String name) {
        return new Command.Daemon(outbox, name, environment);
    }

    /** An enqueuer that has moved its first jobs, so that what comes next meets connections and producers at work. */
    private Command.Daemon workingDaemon() throws Exception {
        Command.Daemon daemon = daemon("enqueuer");
        checker.stage(KEYS, 1);
        checker.awaitDrained();
        return daemon;
    }

    private static Predicate<Exchange> deletion() {
        return Exchange.statement(DELETION);
    }

    private static Predicate<Exchange> commitOfBatch() {
        return Exchange.commitAfter(DELETION);
    }

    @ParameterizedTest
    @EnumSource(
            value = ApiKeys.class,
            names = {"PRODUCE", "END_TXN"})
    void a_request_to_kafka_whose_answer_is_lost_has_no_effect_twice(ApiKeys request) throws Exception {
        workingDaemon();
        for (Then then : Then.values()) {
            for (Loss loss : Loss.values()) {
                Incident lost = toKafka.lose(loss, request, 3, then);
                checker.stage(KEYS, JOBS_OF_A_KEY / 2);
                lost.await(SOON);
                checker.awaitDrained();
            }
        }
        checker.assertExactlyOnce();
    }

    @ParameterizedTest
    @EnumSource(Then.class)
    void an_init_producer_id_whose_answer_is_lost_is_asked_again(Then then) throws Exception {
        Incident atFirst = toKafka.lose(Loss.ANSWER, ApiKeys.INIT_PRODUCER_ID, 1, then);
        Incident later = toKafka.lose(Loss.ANSWER, ApiKeys.INIT_PRODUCER_ID, LANES + 2, then);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        daemon("enqueuer");
        atFirst.await(SOON);
        checker.awaitDrained();
        toPostgres.cut(Ending.CLOSE); // lanes are acquired anew after that, each with a new producer
        checker.stage(KEYS, JOBS_OF_A_KEY);
        toPostgres.heal();
        later.await(SOON);
        checker.assertExactlyOnce();
    }

    @Test
    void a_kafka_commit_of_which_no_answer_comes_is_found_out_by_acquiring() throws Exception {
        Command.Daemon daemon = workingDaemon();
        Incident committed = toKafka.lose(Loss.ANSWER, ApiKeys.END_TXN, 1, Then.SILENCE);
        int before = checker.readable();
        checker.stage(KEYS, JOBS_OF_A_KEY);
        committed.await(SOON);
        toKafka.stall(FaultProxy.Direction.TO_CLIENT); // nor of the client's next tries
        Eventually.until("it is not ready", () -> !daemon.isReady());
        assertThat(checker.readable()).as("in Kafka and not deleted").isGreaterThan(before);
        assertThat(outbox.waiting()).isPositive();
        toKafka.heal();
        checker.assertExactlyOnce();
        assertThat(String.join("\n", daemon.process.output())).contains("was in Kafka already");
    }

    @ParameterizedTest
    @EnumSource(Then.class)
    void a_commit_of_a_batch_that_postgresql_does_or_does_not_see_is_found_out_by_acquiring(Then then)
            throws Exception {
        workingDaemon();
        for (Loss loss : Loss.values()) {
            Incident lost = toPostgres.lose(loss, commitOfBatch(), 3, then);
            checker.stage(KEYS, JOBS_OF_A_KEY);
            lost.await(SOON);
            toPostgres.heal(); // PostgreSQL learns of the connection's end when the client gives up
            checker.awaitDrained();
        }
        checker.assertExactlyOnce();
    }

    @Test
    void at_least_once_repeats_a_batch_whose_commit_postgresql_did_not_see_and_none_that_it_saw() throws Exception {
        environment.put("STAGED_JOBS_DELIVERY", "at-least-once");
        workingDaemon();
        Incident answer = toPostgres.lose(Loss.ANSWER, commitOfBatch(), 3, Then.CUT);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        answer.await(SOON);
        assertThat(checker.assertAtLeastOnce()).as("duplicates").isZero();
        Incident request = toPostgres.lose(Loss.REQUEST, commitOfBatch(), 3, Then.CUT);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        request.await(SOON);
        assertThat(checker.assertAtLeastOnce()).as("duplicates").isBetween(1, BATCH_SIZE);
    }

    @ParameterizedTest
    @EnumSource(Ending.class)
    void a_connection_to_kafka_that_is_cut_in_mid_batch_costs_no_job(Ending ending) throws Exception {
        Command.Daemon daemon = workingDaemon();
        Incident inMidBatch = toKafka.lose(Loss.REQUEST, ApiKeys.PRODUCE, 3, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        inMidBatch.await(SOON);
        toKafka.cut(ending);
        Eventually.until("it is not ready", () -> !daemon.isReady());
        toKafka.heal();
        checker.assertExactlyOnce();
        Eventually.until("it is ready", daemon::isReady);
    }

    @ParameterizedTest
    @EnumSource(Ending.class)
    void a_connection_to_postgresql_that_is_cut_in_mid_batch_costs_no_job(Ending ending) throws Exception {
        Command.Daemon daemon = workingDaemon();
        Incident inMidBatch = toPostgres.lose(Loss.REQUEST, deletion(), 3, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        inMidBatch.await(SOON);
        toPostgres.cut(ending);
        Eventually.until("it is not ready", () -> !daemon.isReady());
        assertThat(outbox.waiting()).isPositive();
        toPostgres.heal();
        checker.assertExactlyOnce();
        Eventually.until("it is ready", daemon::isReady);
    }

    @Test
    void a_black_hole_before_kafka_in_mid_batch_costs_no_job() throws Exception {
        Command.Daemon daemon = workingDaemon();
        Incident inMidBatch = toKafka.lose(Loss.REQUEST, ApiKeys.PRODUCE, 3, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        inMidBatch.await(SOON);
        toKafka.stall();
        Eventually.until("it is not ready", () -> !daemon.isReady());
        assertThat(outbox.waiting()).isPositive();
        toKafka.heal();
        checker.assertExactlyOnce();
        Eventually.until("it is ready", daemon::isReady);
    }

    @Test
    void a_black_hole_before_postgresql_in_mid_batch_costs_no_job() throws Exception {
        Command.Daemon daemon = workingDaemon();
        Incident inMidBatch = toPostgres.lose(Loss.REQUEST, deletion(), 3, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        inMidBatch.await(SOON);
        toPostgres.stall();
        Eventually.until("it is not ready", () -> !daemon.isReady());
        assertThat(outbox.waiting()).isPositive();
        toPostgres.heal();
        checker.assertExactlyOnce();
        Eventually.until("it is ready", daemon::isReady);
    }

    @Test
    void an_owner_in_a_black_hole_before_postgresql_is_relieved_and_comes_back_without_harm() throws Exception {
        workingDaemon();
        Incident inMidBatch = toPostgres.lose(Loss.REQUEST, commitOfBatch(), 3, Then.SILENCE);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        inMidBatch.await(SOON);
        toPostgres.stall();
        environment.put("STAGED_JOBS_DATABASE_URL", outbox.database.url());
        daemon("heir");
        checker.awaitDrained();
        toPostgres.heal();
        Eventually.until("both own lanes", () -> owners() == 2);
        checker.stage(KEYS, JOBS_OF_A_KEY);
        checker.assertExactlyOnce();
    }

    private long owners() {
        return outbox.dsl()
                .fetchSingle("SELECT count(DISTINCT owner) FROM staged_job_lanes")
                .get(0, long.class);
    }
}
