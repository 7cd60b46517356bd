package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How soon a process publishes that is started, and one that stands by when another is killed. */
@Command(
        name = "start",
        description = "From the exec of a relay to its first record and its tenth, with nothing else waiting and with a"
                + " backlog; and from the kill of an enqueuer to the first record of another one that ran beside it.",
        mixinStandardHelpOptions = true)
final class StartCommand implements Callable<Integer> {

    private static final int FEW = 10;
    private static final Duration PATIENCE = Duration.ofMinutes(30);

    /** Of each of the two that are there before the kill. */
    private static final int JOBS_BEFORE = 1_000;

    /** Among so many keys there is one of every lane. */
    private static final int CANDIDATES = 1_000;

    private static final long SETTLED_NANOS = 5_000_000_000L;
    private static final Duration SETTLE_MAX = Duration.ofMinutes(2);
    private static final Duration LOOK = Duration.ofMillis(200);

    @Mixin
    private Scene scene = new Scene();

    @Option(names = "--waiting", description = "jobs of the backlog; default: ${DEFAULT-VALUE}")
    private int waiting = 1_000_000;

    private final Figures figures = new Figures("relay");

    @Override
    public Integer call() throws Exception {
        if (scene.before > 0) {
            throw new IllegalArgumentException("--before does not go with start: it measures a cold process");
        }
        try (Servers servers = new Servers(scene.publishing())) {
            scene.inTurn((relay, beside) -> {
                String label = scene.label(relay.label(), beside);
                cold(servers, relay, beside, label, FEW, "nothing else waits");
                cold(servers, relay, beside, label, waiting, String.format("%,d wait", waiting));
                if (relay instanceof EnqueuerRelay enqueuer) {
                    takeover(servers, enqueuer, beside, label);
                }
            });
        }
        figures.print("from a start and from a kill to a record, of jobs of " + scene.words(), null);
        return 0;
    }

    private void cold(Servers servers, Relay relay, Scene.Beside beside, String label, int jobs, String what)
            throws Exception {
        try (Stage stage = scene.set(servers, relay, beside)) {
            stage.stage(1, jobs);
            stage.reader.expect(0, jobs);
            long start = System.nanoTime();
            stage.start();
            stage.awaitExpected(PATIENCE);
            figures.add(label, what + ": first, s", (stage.reader.timeOf(1) - start) / 1e9);
            figures.add(label, what + ": tenth", (stage.reader.timeOf(FEW) - start) / 1e9);
            check(stage, label);
        }
    }

    private void takeover(Servers servers, EnqueuerRelay relay, Scene.Beside beside, String label) throws Exception {
        try (Stage stage = scene.set(servers, relay, beside);
                Connection connection = stage.database.connect()) {
            ChildProcess first = stage.start();
            letThrough(stage, 0);
            ChildProcess second = stage.startAnother();
            letThrough(stage, JOBS_BEFORE);
            awaitSettled(connection);
            int before = 2 * JOBS_BEFORE;
            boolean killsFirst = ownerOfFirstLane(connection).endsWith(":" + first.pid());
            long number = numberInFirstLane(connection, stage, before);
            stage.reader.expect(before, before + 1L);
            long start = System.nanoTime();
            (killsFirst ? first : second).kill();
            relay.stage(connection, stage.topic, scene.keys, scene.bytes, number, number);
            stage.awaitExpected(PATIENCE);
            figures.add(label, "after a kill: first, s", (stage.reader.receivedAt(number) - start) / 1e9);
            figures.add(label, "takeover.after, s", relay.takeoverAfter().toMillis() / 1e3);
            check(stage, label);
        }
    }

    private void check(Stage stage, String label) {
        String faults = stage.reader.faults();
        figures.found(label, faults.isEmpty() ? "exact, in order" : faults);
        System.err.println(label + " " + faults);
    }

    private void letThrough(Stage stage, int before) throws Exception {
        stage.reader.expect(before, before + JOBS_BEFORE);
        stage.stage(before + 1L, before + JOBS_BEFORE);
        stage.awaitExpected(PATIENCE);
    }

    /** Waits until two enqueuers live and have shared the lanes, and nothing of that has changed for a while. */
    private static void awaitSettled(Connection connection) throws SQLException, InterruptedException {
        long deadline = System.nanoTime() + SETTLE_MAX.toNanos();
        String last = null;
        long since = System.nanoTime();
        while (last == null || System.nanoTime() - since < SETTLED_NANOS) {
            String owners = one(
                    connection,
                    "SELECT string_agg(owner::text, ' ' ORDER BY lane) FROM staged_job_lanes"
                            + " HAVING bool_and(owner IS NOT NULL)"
                            + " AND (SELECT count(*) FROM staged_job_enqueuers) = 2");
            if (owners == null || !owners.equals(last)) {
                last = owners;
                since = System.nanoTime();
            }
            if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException("two enqueuers have not come to share the lanes in " + SETTLE_MAX);
            }
            Thread.sleep(LOOK.toMillis());
        }
    }

    /** Its name, which ends with the process's id. */
    private static String ownerOfFirstLane(Connection connection) throws SQLException {
        return String.valueOf(one(
                connection,
                "SELECT e.name FROM staged_job_enqueuers e JOIN staged_job_lanes l ON l.owner = e.enqueuer"
                        + " ORDER BY l.lane LIMIT 1"));
    }

    /** The number of a job that the first lane will have; it is tried, and rolled back. */
    private long numberInFirstLane(Connection connection, Stage stage, int before) throws SQLException {
        connection.setAutoCommit(false);
        stage.relay.stage(connection, stage.topic, scene.keys, scene.bytes, before + 1L, before + CANDIDATES);
        String number = one(
                connection,
                "SELECT min(substring(convert_from(payload, 'UTF8') FROM 7 FOR 10)) FROM staged_jobs"
                        + " WHERE lane = (SELECT min(lane) FROM staged_job_lanes)");
        connection.rollback();
        connection.setAutoCommit(true);
        return Long.parseLong(String.valueOf(number));
    }

    private static @Nullable String one(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(sql)) {
            return row.next() ? row.getString(1) : null;
        }
    }
}
