package io.stagedjobs.daemon.faults;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;

/** A PostgreSQL of its own that a test may harm, a broker, a ledger, and daemons of the mode exactly-once. */
final class Scene implements AutoCloseable {

    private static final String OURS = " FROM pg_stat_activity WHERE application_name LIKE 'staged-jobs%'";

    final TestPostgres postgres;
    final TestKafka kafka;
    final TestOutbox outbox;
    final String topic;
    final Ledger ledger;

    /** What the next daemon is started with. */
    Map<String, String> environment;

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    /** On the shared broker, with the jobs in every lane. */
    Scene(Map<String, String> postgresSettings) throws SQLException {
        this(postgresSettings, TestKafka.shared(), Ledger.KEYS_IN_EVERY_LANE);
    }

    /** @param keys see {@link Ledger} */
    Scene(Map<String, String> postgresSettings, TestKafka kafka, int keys) throws SQLException {
        this.postgres = keep(TestPostgres.startEmbedded(postgresSettings));
        this.kafka = kafka;
        this.outbox = keep(new TestOutbox(postgres, kafka, "faults"));
        this.topic = kafka.newTopic("faults", 3);
        this.ledger = new Ledger(outbox, topic, keys);
        this.environment = Command.with(Command.environment(outbox), "STAGED_JOBS_DELIVERY", "exactly-once");
        set("STAGED_JOBS_PUBLISH_TIMEOUT", "30s"); // the broker shares a busy machine with all of us
    }

    <T extends AutoCloseable> T keep(T resource) {
        opened.push(resource);
        return resource;
    }

    void set(String variable, String value) {
        environment = Command.with(environment, variable, value);
    }

    Command.Daemon daemon(String name) {
        return new Command.Daemon(outbox, name, environment);
    }

    static String health(Command.Daemon daemon) throws Exception {
        return daemon.get("health/ready").body();
    }

    static void awaitReady(Command.Daemon daemon) throws Exception {
        Eventually.until("it is ready", daemon::isReady);
    }

    /** Waits until the daemon is not ready for a reason that contains these words. */
    static void awaitProblem(Command.Daemon daemon, String words) throws Exception {
        try {
            Eventually.until("health says " + words, () -> health(daemon).contains(words));
        } catch (AssertionError inVain) {
            throw new AssertionError(
                    inVain.getMessage() + "; it says " + health(daemon) + " and logs:\n"
                            + String.join("\n", daemon.process.output()),
                    inVain);
        }
    }

    /** Cuts the connections of all daemons; they may open new ones. */
    int endConnectionsOfDaemons() throws SQLException {
        return Integer.parseInt(ledger.ask("SELECT count(pg_terminate_backend(pid))" + OURS));
    }

    /** How many transactions of daemons wait for Kafka with their batch in hand. */
    int batchesOpen() throws SQLException {
        return Integer.parseInt(ledger.ask("SELECT count(*)" + OURS + " AND state = 'idle in transaction'"));
    }

    @Override
    public void close() throws Exception {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
    }
}
