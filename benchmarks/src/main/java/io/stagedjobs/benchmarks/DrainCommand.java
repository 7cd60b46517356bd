package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How fast a backlog drains: jobs wait before the relay starts; from the first record read to the last. */
@Command(
        name = "drain",
        description = "Drains a backlog with each relay in turn, again and again.",
        mixinStandardHelpOptions = true)
final class DrainCommand implements Callable<Integer> {

    /** What else is going on in the database while it drains. */
    private enum Beside {
        NOTHING,
        SNAPSHOT,
        IDLE_WRITER,
        IDLE_STAGER
    }

    private static final Duration PATIENCE = Duration.ofMinutes(30);
    private static final int PARTITIONS = 8;

    @Option(names = "--relays", split = ",", description = "default: ${DEFAULT-VALUE}")
    private List<String> relays = List.of("textbook", "at-least-once", "exactly-once");

    @Option(names = "--jobs", description = "default: ${DEFAULT-VALUE}")
    private int jobs = 1_000_000;

    @Option(names = "--bytes", description = "of a payload; default: ${DEFAULT-VALUE}")
    private int bytes = 200;

    @Option(names = "--keys", description = "default: ${DEFAULT-VALUE}")
    private int keys = 10_000;

    @Option(names = "--repetitions", description = "default: ${DEFAULT-VALUE}")
    private int repetitions = 3;

    @Option(
            names = "--beside",
            description =
                    "NOTHING, SNAPSHOT (an old REPEATABLE READ snapshot), IDLE_WRITER (an open transaction that wrote"
                            + " elsewhere) or IDLE_STAGER (one that staged a job); default: ${DEFAULT-VALUE}")
    private Beside beside = Beside.NOTHING;

    @Option(
            names = "--before",
            description = "jobs that go through before the drain that is measured, with what goes on beside; default:"
                    + " ${DEFAULT-VALUE}")
    private int before = 0;

    @Option(names = "--setting", description = "of our relay, NAME=VALUE without STAGED_JOBS_; repeatable")
    private Map<String, String> settings = new HashMap<>();

    private final Figures figures = new Figures();

    @Override
    public Integer call() throws Exception {
        try (Servers servers = new Servers()) {
            for (int i = 0; i < repetitions; i++) {
                for (String relay : relays) {
                    drain(servers, Relay.of(relay));
                }
            }
        }
        figures.print(
                String.format(
                        "drain of %,d jobs of %,d bytes, %,d keys, beside: %s, %,d before",
                        jobs, bytes, keys, beside, before),
                relays.get(0));
        return 0;
    }

    private void drain(Servers servers, Relay relay) throws Exception {
        TestDatabase database = servers.postgres.newDatabase("drain");
        String topic = servers.kafka.newTopic("drain", PARTITIONS);
        try (Connection connection = database.connect();
                Connection other = database.connect();
                Reader reader = new Reader(servers.kafka.bootstrapServers(), topic)) {
            relay.install(connection);
            execute(connection, "CREATE TABLE elsewhere (n int)");
            hold(relay, topic, other);
            ChildProcess process = null;
            if (before > 0) {
                relay.stage(connection, topic, keys, bytes, 1, before);
                process = start(relay, database, servers);
                reader.expect(0, before);
                requireComplete(reader, process);
                process.suspend(); // warm and connected, and not one job ahead
            }
            relay.stage(connection, topic, keys, bytes, before + 1L, before + jobs);
            execute(connection, "CHECKPOINT");
            reader.expect(before, before + jobs);
            double postgres = CpuTime.seconds(servers.postgresPid());
            double kafka = CpuTime.seconds(servers.kafkaPid());
            double own = process == null ? 0 : CpuTime.seconds(process.pid());
            if (process == null) {
                process = start(relay, database, servers);
            } else {
                process.resume();
            }
            requireComplete(reader, process);
            double scale = 1e6 / jobs;
            figures.add(relay.label, "jobs/s", reader.speed());
            figures.add(relay.label, "CPU of relay, µs a job", scale * (CpuTime.seconds(process.pid()) - own));
            figures.add(relay.label, "of PostgreSQL", scale * (CpuTime.seconds(servers.postgresPid()) - postgres));
            figures.add(relay.label, "of the broker", scale * (CpuTime.seconds(servers.kafkaPid()) - kafka));
            figures.fault(relay.label, reader.faults());
            System.err.printf("%s: %,.0f jobs/s %s%n", relay.label, reader.speed(), reader.faults());
            process.kill();
        }
        try (Connection connection = servers.postgres.database("postgres").connect()) {
            execute(connection, "DROP DATABASE " + database.name() + " WITH (FORCE)");
            execute(connection, "CHECKPOINT");
        }
        servers.kafka.deleteTopic(topic);
    }

    private ChildProcess start(Relay relay, TestDatabase database, Servers servers) {
        Map<String, String> environment = new HashMap<>();
        settings.forEach((name, value) -> environment.put("STAGED_JOBS_" + name, value));
        return relay.start(database, servers.kafka.bootstrapServers(), environment);
    }

    private static void requireComplete(Reader reader, ChildProcess process) throws InterruptedException {
        if (!reader.await(PATIENCE)) {
            throw new IllegalStateException(process.name() + " published " + reader.distinct() + " jobs in " + PATIENCE
                    + "; its last words: " + process.output());
        }
    }

    /** Leaves a transaction open on that connection. */
    private void hold(Relay relay, String topic, Connection connection) throws SQLException {
        if (beside == Beside.NOTHING) {
            return;
        }
        connection.setAutoCommit(false);
        switch (beside) {
            case SNAPSHOT -> {
                connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
                execute(connection, "SELECT count(*) FROM elsewhere");
            }
            case IDLE_WRITER -> execute(connection, "INSERT INTO elsewhere VALUES (1)");
            default -> relay.stage(connection, topic, keys, bytes, 0, 0);
        }
    }

    private static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }
}
