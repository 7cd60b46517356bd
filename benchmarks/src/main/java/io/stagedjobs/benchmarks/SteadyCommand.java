package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How soon a job is with its consumer when business goes on steadily, and what waiting costs when nothing happens. */
@Command(
        name = "steady",
        description =
                "Business transactions at a steady rate: from a commit to the consumer, what it costs all processes,"
                        + " then CPU when idle. With the relay none, also what is above the writers alone.",
        mixinStandardHelpOptions = true)
final class SteadyCommand implements Callable<Integer> {

    private static final int STAGED_TO_WARM_UP = 20_000;
    private static final int STAGED_TO_MEASURE = 50_000;
    private static final Duration QUIET = Duration.ofSeconds(1);
    private static final double NANOS_PER_MILLI = 1e6;

    /** What the writers' threads have to get ready in. */
    private static final long LEAD_NANOS = 20_000_000;

    @Mixin
    private Scene scene = new Scene();

    @Option(
            names = "--rate",
            split = ",",
            description = "business transactions a second, several in turn; default: ${DEFAULT-VALUE}")
    private List<Integer> rates = List.of(1_000);

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

    @Option(
            names = "--idle",
            description = "seconds whose processor time counts, after that; default: ${DEFAULT-VALUE}")
    private int idle = 20;

    @Option(names = "--clients", description = "writers' connections; default: ${DEFAULT-VALUE}")
    private int clients = 4;

    /** Processor time of the controls, by what their figures are told under. */
    private final Map<String, Double> controls = new HashMap<>();

    @Override
    public Integer call() throws Exception {
        try (Servers servers = new Servers(scene.relays(), Meter.POSTGRES, Meter.KAFKA)) {
            if (share > 0) {
                rates = List.of((int) (share * stagingRate(servers) / 100));
            }
            for (int rate : rates) {
                Figures figures = new Figures("relay", "p50, ms", "p95, ms", "p99, ms", "max");
                scene.inTurn((relay, beside) -> run(servers, relay, beside, rate, figures));
                figures.print(
                        String.format(
                                "%,d business transactions a second for %d s, each with a job of %s",
                                rate, seconds, scene.words()),
                        null);
            }
        }
        return 0;
    }

    /** How many such transactions a second these clients commit, one after the other, while no relay runs. */
    private double stagingRate(Servers servers) throws Exception {
        Relay relay = scene.relays().get(0);
        try (Stage stage = scene.set(servers, relay, Scene.Beside.NOTHING);
                Writers writers = new Writers(stage, scene, clients)) {
            writers.write(new long[STAGED_TO_WARM_UP], 0, STAGED_TO_WARM_UP, Integer.MAX_VALUE);
            long[] times = new long[STAGED_TO_MEASURE];
            writers.write(times, 0, STAGED_TO_MEASURE, Integer.MAX_VALUE);
            LongSummaryStatistics committed = Arrays.stream(times).summaryStatistics();
            return STAGED_TO_MEASURE / ((committed.getMax() - committed.getMin()) / 1e9);
        }
    }

    private void run(Servers servers, Relay relay, Scene.Beside beside, int rate, Figures figures) throws Exception {
        String label = scene.label(relay.label(), beside);
        int early = rate * warmUp;
        int all = early + rate * seconds;
        try (Stage stage = scene.set(servers, relay, beside);
                Writers writers = new Writers(stage, scene, clients)) {
            ChildProcess process = stage.start();
            Reader reader = stage.reader;
            reader.expect(reader.distinct(), relay.publishes() ? (long) scene.before + all : 0);
            long[] committed = new long[all];
            writers.write(committed, 0, early, rate);
            if (early > 0 && relay.publishes()) {
                stage.awaitFirst();
            }
            double cost;
            try (Meter meter = new Meter(servers, stage.database, process)) {
                writers.write(committed, early, all, rate);
                cost = meter.stop(figures, label, all - early);
            }
            if (!relay.publishes()) {
                controls.put(label, cost);
            }
            Double control = controls.get(scene.label(relay.control(), beside));
            if (control != null) {
                figures.add(label, "above the writers alone", cost - control);
            }
            if (relay.publishes()) {
                while (reader.isMoving() && !reader.await(QUIET)) {}
                delays(figures, label, stage, committed, early);
            } else {
                figures.found(label, "staged: " + stage.staged() + " of " + all);
            }

            Thread.sleep(settle * 1_000L); // what the last jobs left to do, to compilers above all
            double own = CpuTime.seconds(process.pid());
            double postgres = CpuTime.seconds(servers.postgresPid());
            Thread.sleep(idle * 1_000L);
            figures.add(label, "idle: relay, % of a core", 100 * (CpuTime.seconds(process.pid()) - own) / idle);
            figures.add(label, "idle: PostgreSQL", 100 * (CpuTime.seconds(servers.postgresPid()) - postgres) / idle);
            System.err.printf("%s, %,d a second: %.1f %% of a core %s%n", label, rate, cost, reader.faults());
        }
    }

    /**
     * Tells how long the jobs took that were committed as these numbers and later ones; what a relay lost is missing.
     */
    private void delays(Figures figures, String label, Stage stage, long[] committed, int early) {
        Reader reader = stage.reader;
        double[] millis = IntStream.range(early, committed.length)
                .filter(n -> reader.receivedAt(scene.before + n + 1L) != 0)
                .mapToDouble(n -> (reader.receivedAt(scene.before + n + 1L) - committed[n]) / NANOS_PER_MILLI)
                .sorted()
                .toArray();
        if (millis.length == 0) {
            throw stage.failure("came to a standstill in the warm-up");
        }
        for (int percent : List.of(50, 95, 99)) {
            figures.add(label, "p" + percent + ", ms", millis[(int) (millis.length * (long) percent / 100)]);
        }
        figures.add(label, "max", millis[millis.length - 1]);
        figures.found(label, reader.faults().isEmpty() ? "exact, in order" : reader.faults());
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

        /**
         * Commits those from one number up to before another one.
         *
         * @param committed is told by number when its commit returned, of {@link System#nanoTime}
         */
        void write(long[] committed, int from, int to, int rate) throws Exception {
            long start = System.nanoTime() + LEAD_NANOS;
            Thread[] threads = new Thread[connections.length];
            Throwable[] failure = new Throwable[1];
            for (int t = 0; t < threads.length; t++) {
                Connection connection = connections[t];
                int first = from + t;
                threads[t] = new Thread(() -> {
                    try (var business = connection.prepareStatement("INSERT INTO business (what) VALUES (?)");
                            var job = connection.prepareStatement(stage.relay.insertOne())) {
                        for (int n = first; n < to; n += threads.length) {
                            awaitMoment(start + (n - from) * (1_000_000_000L / rate));
                            write(scene.before + n + 1L, business, job);
                            connection.commit();
                            committed[n] = System.nanoTime();
                        }
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
        }

        private void write(long number, PreparedStatement business, PreparedStatement job) throws SQLException {
            business.setString(1, "order " + number);
            business.executeUpdate();
            job.setString(1, stage.topic);
            job.setString(2, "k" + number % scene.keys);
            job.setString(3, Payload.text(number, scene.bytes));
            job.executeUpdate();
        }

        private static void awaitMoment(long moment) throws InterruptedException {
            long rest = moment - System.nanoTime();
            if (rest > 0) {
                Thread.sleep(rest / 1_000_000, (int) (rest % 1_000_000));
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
