package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How soon a job is with its consumer when business goes on steadily, and what waiting costs when nothing happens. */
@Command(
        name = "steady",
        description = "Business transactions at a steady rate: from a commit to the consumer, then CPU when idle.",
        mixinStandardHelpOptions = true)
final class SteadyCommand implements Callable<Integer> {

    private static final int STAGED_TO_WARM_UP = 20_000;
    private static final int STAGED_TO_MEASURE = 50_000;
    private static final Duration QUIET = Duration.ofSeconds(1);
    private static final double NANOS_PER_MILLI = 1e6;

    @Mixin
    private Scene scene = new Scene();

    @Option(names = "--rate", description = "business transactions a second; default: ${DEFAULT-VALUE}")
    private int rate = 1_000;

    @Option(
            names = "--share",
            description = "percent of what these clients can stage without a relay, measured in this run;"
 + " in place of --rate, without --before")
    private int share = 0;

    @Option(names = "--seconds", description = "default: ${DEFAULT-VALUE}")
    private int seconds = 60;

    @Option(
            names = "--warm-up",
            description = "seconds at that rate before what is measured; default: ${DEFAULT-VALUE}")
    private int warmUp = 15;

    @Option(names = "--settle", description = "seconds without any job then; default: ${DEFAULT-VALUE}")
    private int settle = 60;

    @Option(names = "--idle", description = "seconds whose processor time counts, after that; default: ${DEFAULT-VALUE}")
    private int idle = 20;

    @Option(names = "--clients", description = "writers' connections; default: ${DEFAULT-VALUE}")
    private int clients = 4;

    private final Figures figures = new Figures("relay");

    @Override
    public Integer call() throws Exception {
        try (Servers servers = new Servers(scene.relays())) {
            if (share > 0) {
                rate = (int) (share * stagingRate(servers) / 100);
            }
            scene.inTurn((relay, beside) -> run(servers, relay, beside));
        }
        figures.print(
                String.format(
                        "%,d business transactions a second for %d s, each with a job of %s",
                        rate, seconds, scene.words()),
                null);
        return 0;
    }

    /** How many such transactions a second these clients commit, one after the other, while no relay runs. */
    private double stagingRate(Servers servers) throws Exception {
        Relay relay = scene.relays().get(0);
        try (Stage stage = scene.set(servers, relay, Scene.Beside.NOTHING);
                Writers writers = new Writers(stage, scene, clients)) {
            writers.write(STAGED_TO_WARM_UP, Integer.MAX_VALUE);
            LongSummaryStatistics committed = Arrays.stream(writers.write(STAGED_TO_MEASURE, Integer.MAX_VALUE))
                    .summaryStatistics();
            return STAGED_TO_MEASURE / ((committed.getMax() - committed.getMin()) / 1e9);
        }
    }

    private void run(Servers servers, Relay relay, Scene.Beside beside) throws Exception {
        String label = scene.label(relay.label(), beside);
        int early = rate * warmUp;
        int all = early + rate * seconds;
        try (Stage stage = scene.set(servers, relay, beside);
                Writers writers = new Writers(stage, scene, clients)) {
            ChildProcess process = stage.start();
            Reader reader = stage.reader;
            reader.expect(scene.before, (long) scene.before + all);
            long[] committed = writers.write(all, rate);
            while (reader.isMoving() && !reader.await(QUIET)) {}
            double[] millis = IntStream.range(early, all)
                    .filter(n -> reader.receivedAt(scene.before + n + 1L) != 0) // what a relay lost is told as missing
                    .mapToDouble(n -> (reader.receivedAt(scene.before + n + 1L) - committed[n]) / NANOS_PER_MILLI)
                    .sorted()
                    .toArray();
            Map<String, Double> quantiles = new TreeMap<>();
            for (int percent : List.of(50, 95, 99)) {
                quantiles.put("p" + percent, millis[(int) (millis.length * (long) percent / 100)]);
                figures.add(label, "p" + percent + ", ms", quantiles.get("p" + percent));
            }
            figures.add(label, "max", millis[millis.length - 1]);
            figures.found(label, reader.faults().isEmpty() ? "exact, in order" : reader.faults());

            Thread.sleep(settle * 1_000L); // what the last jobs left to do, to compilers above all
            double own = CpuTime.seconds(process.pid());
            double postgres = CpuTime.seconds(servers.postgresPid());
            Thread.sleep(idle * 1_000L);
            figures.add(label, "idle: relay, % of a core", 100 * (CpuTime.seconds(process.pid()) - own) / idle);
            figures.add(label, "PostgreSQL", 100 * (CpuTime.seconds(servers.postgresPid()) - postgres) / idle);
            System.err.printf("%s: %s %s%n", label, quantiles, reader.faults());
        }
    }

    /** Clients that commit business transactions at given moments, each on a connection of its own. */
    private static final class Writers implements AutoCloseable {
        private final Connection[] connections;
        private final Stage stage;
        private final Scene scene;

        Writers(Stage stage, Scene scene, int clients) throws Exception {
            this.stage = stage;
            this.scene = scene;
            connections = new Connection[clients];
            for (int i = 0; i < clients; i++) {
                connections[i] = stage.database.connect();
                connections[i].setAutoCommit(false);
            }
            try (var statement = connections[0].createStatement()) {
                statement.execute(
                        "CREATE TABLE business (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text)");
                connections[0].commit();
            }
        }

        /** @return by number, when its commit returned, of {@link System#nanoTime} */
        long[] write(int all, int rate) throws Exception {
            long[] committed = new long[all];
            long start = System.nanoTime() + 100_000_000;
            Thread[] threads = new Thread[connections.length];
            Throwable[] failure = new Throwable[1];
            for (int t = 0; t < threads.length; t++) {
                int client = t;
                threads[t] = new Thread(() -> {
                    try {
                        write(client, committed, start, rate);
                    } catch (Exception e) {
                        failure[0] = e;
                    }
                });
                threads[t].start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
            if (failure[0] != null) {
                throw new IllegalStateException("a writer failed", failure[0]);
            }
            return committed;
        }

        private void write(int client, long[] committed, long start, int rate) throws Exception {
            Connection connection = connections[client];
            try (var business = connection.prepareStatement("INSERT INTO business (what) VALUES (?)");
                    var job = connection.prepareStatement(stage.relay.insertOne())) {
                for (int n = client; n < committed.length; n += connections.length) {
                    long rest = start + n * (1_000_000_000L / rate) - System.nanoTime();
                    if (rest > 0) {
                        Thread.sleep(rest / 1_000_000, (int) (rest % 1_000_000));
                    }
                    long number = scene.before + n + 1L;
                    business.setString(1, "order " + number);
                    business.executeUpdate();
                    job.setString(1, stage.topic);
                    job.setString(2, "k" + number % scene.keys);
                    job.setString(3, Payload.text(number, scene.bytes));
                    job.executeUpdate();
                    connection.commit();
                    committed[n] = System.nanoTime();
                }
            }
        }

        @Override
        public void close() throws SQLException {
            for (Connection connection : connections) {
                connection.close();
            }
        }
    }
}
