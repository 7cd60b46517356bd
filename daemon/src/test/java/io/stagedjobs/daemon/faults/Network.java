package io.stagedjobs.daemon.faults;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.enqueuer.postgres.StatementFiles;
import io.stagedjobs.faultkit.KafkaFaultProxy;
import io.stagedjobs.faultkit.PostgresFaultProxy;
import io.stagedjobs.faultkit.PostgresFaultProxy.Exchange;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.TestPostgres;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * An outbox whose enqueuers reach both servers through networks that a test can break; the test itself goes past them.
 */
final class Network implements AutoCloseable {

    /** Whatever way a batch is settled, its rows are deleted. */
    private static final Pattern DELETION = StatementFiles.pattern("delete");

    private static final int STARTS_MAX = 5;

    final PostgresFaultProxy toPostgres;
    final KafkaFaultProxy toKafka;
    final TestOutbox outbox;

    /** @param toKafka stays the caller's to close, with the broker behind it */
    Network(KafkaFaultProxy toKafka, String prefix) {
        this.toPostgres = PostgresFaultProxy.before(TestPostgres.shared());
        this.toKafka = toKafka;
        this.outbox = new TestOutbox(TestPostgres.shared(), toKafka.kafka(), prefix);
    }

    /** The statement that deletes the rows of a batch. */
    static Predicate<Exchange> deletion() {
        return Exchange.statement(DELETION);
    }

    /** The COMMIT behind {@link #deletion}. */
    static Predicate<Exchange> commitOfBatch() {
        return Exchange.commitAfter(DELETION);
    }

    /** The environment of an enqueuer, with more settings. */
    Map<String, String> environment(String urlParameters, String... pairs) {
        Map<String, String> environment = Command.with(
                Command.environment(outbox),
                "STAGED_JOBS_DELIVERY",
                "exactly-once",
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS",
                toKafka.address(),
                "STAGED_JOBS_DATABASE_URL",
                toPostgres.through(outbox.database).url() + urlParameters);
        return Command.with(environment, pairs);
    }

    /**
     * Starts an enqueuer. The patience that a test gives it bounds its questions at the start too, where a busy machine
     * is slower than at any later time: one that gave up for that reason is started again, as its supervisor would do.
     */
    Command.Daemon start(String name, Map<String, String> environment) {
        for (int left = STARTS_MAX; ; left--) {
            try {
                return new Command.Daemon(outbox, name, environment);
            } catch (AssertionError e) {
                if (left == 1 || !String.valueOf(e.getMessage()).contains("could not reach Kafka")) {
                    throw e;
                }
            }
        }
    }

    Checker checker() {
        return new Checker(outbox, outbox.kafka.newTopic("network", 3), outbox.kafka.newTopic("network", 3));
    }

    long owners() {
        return outbox.dsl()
                .fetchSingle("SELECT count(DISTINCT owner) FROM staged_job_lanes")
                .get(0, long.class);
    }

    void heal() {
        toKafka.heal();
        toPostgres.heal();
    }

    @Override
    public void close() throws Exception {
        outbox.close();
        toPostgres.close();
    }
}
