package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** One relay with a database and a topic of its own, a reader at the topic, and what goes on beside. */
final class Stage implements AutoCloseable {

    private static final Duration PATIENCE = Duration.ofMinutes(30);
    private static final Duration START_MAX = Duration.ofMinutes(2);
    private static final Duration LOOK = Duration.ofSeconds(1);
    private static final int PARTITIONS = 8;

    final Relay relay;
    final TestDatabase database;
    final String topic;
    final Reader reader;

    private final Scene scene;
    private final Servers servers;
    private final Connection connection;
    private final Connection other;
    /** Those of the relay, in the order of their starts. */
    private final List<ChildProcess> processes = new ArrayList<>();

    Stage(Scene scene, Servers servers, Relay relay) throws SQLException {
        this.scene = scene;
        this.servers = servers;
        this.relay = relay;
        this.database = servers.postgres.newDatabase("measured");
        this.topic = servers.kafka.newTopic("measured", PARTITIONS);
        this.reader = new Reader(servers.kafka.bootstrapServers(), topic);
        this.connection = database.connect();
        this.other = database.connect();
    }

    /** Makes the tables, begins what goes on beside, and lets go through what comes before. */
    void open(Scene.Beside beside) throws SQLException, InterruptedException {
        relay.install(database);
        execute(connection, "CREATE TABLE elsewhere (n int)");
        begin(beside);
        if (scene.before > 0 && relay.publishes()) {
            stage(1, scene.before);
            start();
            reader.expect(0, scene.before);
            awaitExpected(PATIENCE);
        }
    }

    /** Leaves a transaction open on the other connection. */
    private void begin(Scene.Beside beside) throws SQLException {
        if (beside == Scene.Beside.NOTHING) {
            return;
        }
        other.setAutoCommit(false);
        switch (beside) {
            case SNAPSHOT -> {
                other.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
                execute(other, "SELECT count(*) FROM elsewhere");
            }
            case IDLE_WRITER -> execute(other, "INSERT INTO elsewhere VALUES (1)");
            default -> relay.stage(other, topic, scene.keys, scene.bytes, 0, 0);
        }
    }

    /** Stages jobs in one transaction, then takes a checkpoint. */
    void stage(long first, long last) throws SQLException {
        relay.stage(connection, topic, scene.keys, scene.bytes, first, last);
        execute(connection, "CHECKPOINT");
    }

    /** The relay's process, started by the first call. */
    ChildProcess start() {
        return processes.isEmpty() ? startAnother() : processes.get(0);
    }

    /** Starts one more process of the relay, beside those that run. */
    ChildProcess startAnother() {
        ChildProcess process =
                relay.start(new Relay.Launch(database, servers.kafka.bootstrapServers(), topic, scene.jvm));
        processes.add(process);
        return process;
    }

    void awaitExpected(Duration atMost) throws InterruptedException {
        long deadline = System.nanoTime() + atMost.toNanos();
        while (!reader.await(LOOK)) {
            requireAlive(deadline);
        }
    }

    /** Waits for the first record of all: the relay has started then. */
    void awaitFirst() throws InterruptedException {
        long deadline = System.nanoTime() + START_MAX.toNanos();
        while (reader.distinct() == 0) {
            requireAlive(deadline);
            Thread.sleep(LOOK.toMillis() / 10);
        }
    }

    private void requireAlive(long deadline) {
        boolean ended = processes.stream().noneMatch(ChildProcess::isRunning);
        if (ended || System.nanoTime() - deadline > 0) {
            throw failure(ended ? "ended" : "had no more time");
        }
    }

    /** An error of a relay, with its last words. */
    IllegalStateException failure(String what) {
        return new IllegalStateException(relay.label() + " published " + reader.distinct() + " jobs and " + what
                + "; its last words: "
                + processes.stream()
                        .map(process -> String.join("\n  ", process.output()))
                        .toList());
    }

    /** How many jobs lie in the table of our relay. */
    long staged() throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT count(*) FROM staged_jobs")) {
            row.next();
            return row.getLong(1);
        }
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    @Override
    public void close() throws SQLException {
        processes.forEach(ChildProcess::kill);
        relay.uninstall(database);
        reader.close();
        other.close();
        connection.close();
        try (Connection maintenance = servers.postgres.database("postgres").connect()) {
            execute(maintenance, "DROP DATABASE " + database.name() + " WITH (FORCE)");
            execute(maintenance, "CHECKPOINT");
        }
        servers.kafka.deleteTopic(topic);
    }
}
