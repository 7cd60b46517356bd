package io.stagedjobs.benchmarks;

import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What staging costs the application: with and without a job, and how many jobs a unit of work can stage. */
@Command(
        name = "staging",
        description = "Business transactions without and with a staged job, and rows a second; no relay runs.",
        mixinStandardHelpOptions = true)
final class StagingCommand implements Callable<Integer> {

    private static final List<Integer> CLIENTS = List.of(1, 8);
    private static final List<Integer> JOBS = List.of(1, 10, 100, 1_000);
    private static final String WITHOUT = "without a job";

    @Option(names = "--seconds", description = "of each measurement; default: ${DEFAULT-VALUE}")
    private int seconds = 10;

    @Option(names = "--repetitions", description = "default: ${DEFAULT-VALUE}")
    private int repetitions = 3;

    @Option(names = "--bytes", description = "of a payload; default: ${DEFAULT-VALUE}")
    private int bytes = 200;

    @Option(names = "--keys", description = "default: ${DEFAULT-VALUE}")
    private int keys = 10_000;

    private final StagedJobs stagedJobs = new StagedJobs();
    private final AtomicLong numbers = new AtomicLong();

    /** What one business transaction does, on its open connection. */
    private interface Unit {
        void run(Connection connection) throws SQLException;
    }

    @Override
    public Integer call() throws Exception {
        List<Figures> transactions =
                CLIENTS.stream().map(n -> new Figures("business transaction")).toList();
        Figures rows = new Figures("jobs in a unit of work");
        try (TestPostgres postgres = TestPostgres.startEmbedded(Servers.POSTGRES)) {
            TestDatabase database = postgres.newDatabase("staging");
            try (Connection connection = database.connect();
                    Statement statement = connection.createStatement()) {
                Schema.PUBLIC.migrate(connection);
                statement.execute(
                        "CREATE TABLE business (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text)");
            }
            for (int i = -1; i < repetitions; i++) { // the first time warms up, and does not count
                Figures nowhere = new Figures("");
                for (int c = 0; c < CLIENTS.size(); c++) {
                    Figures figures = i < 0 ? nowhere : transactions.get(c);
                    int clients = CLIENTS.get(c);
                    figures.add(WITHOUT, "a second", rate(database, clients, this::business));
                    figures.add("with a second row of its own", "a second", rate(database, clients, unit -> {
                        business(unit);
                        business(unit);
                    }));
                    figures.add("with one, plain SQL", "a second", rate(database, clients, this::plainSql));
                    figures.add("with one, library", "a second", rate(database, clients, unit -> {
                        business(unit);
                        stagedJobs.stage(unit, job());
                    }));
                }
                for (int jobs : JOBS) {
                    Figures figures = i < 0 ? nowhere : rows;
                    figures.add(
                            "" + jobs,
                            "rows a second, JDBC",
                            jobs
                                    * rate(database, 1, unit -> {
                                        business(unit);
                                        stagedJobs.stage(unit, jobs(jobs));
                                    }));
                    figures.add(
                            "" + jobs,
                            "jOOQ",
                            jobs
                                    * rate(database, 1, unit -> {
                                        business(unit);
                                        stagedJobs.stage(DSL.using(unit, SQLDialect.POSTGRES), jobs(jobs));
                                    }));
                }
            }
        }
        for (int c = 0; c < CLIENTS.size(); c++) {
            transactions.get(c).print(CLIENTS.get(c) + " client(s), jobs of " + bytes + " bytes", WITHOUT);
        }
        rows.print("1 client, jobs of " + bytes + " bytes", null);
        return 0;
    }

    /** Transactions a second of that many clients, each with a connection of its own; the table is emptied before. */
    private double rate(TestDatabase database, int clients, Unit unit) throws Exception {
        try (Connection connection = database.connect();
                Statement statement = connection.createStatement()) {
            statement.execute("TRUNCATE staged_jobs, business");
            statement.execute("CHECKPOINT");
        }
        AtomicLong done = new AtomicLong();
        long start = System.nanoTime();
        long end = start + seconds * 1_000_000_000L;
        List<Thread> threads = new ArrayList<>();
        List<Exception> failures = Collections.synchronizedList(new ArrayList<>());
        for (int i = 0; i < clients; i++) {
            Thread thread = new Thread(() -> {
                try (Connection connection = database.connect()) {
                    connection.setAutoCommit(false);
                    while (System.nanoTime() < end) {
                        unit.run(connection);
                        connection.commit();
                        done.incrementAndGet();
                    }
                } catch (Exception e) {
                    failures.add(e);
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        if (!failures.isEmpty()) {
            throw failures.get(0);
        }
        return (double) done.get() / ((System.nanoTime() - start) / 1e9);
    }

    private void business(Connection connection) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO business (what) VALUES (?)")) {
            insert.setString(1, "order");
            insert.executeUpdate();
        }
    }

    private void plainSql(Connection connection) throws SQLException {
        business(connection);
        long number = numbers.incrementAndGet();
        try (PreparedStatement insert = connection.prepareStatement(
                "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, ?, ?)")) {
            insert.setString(1, "orders");
            insert.setString(2, "k" + number % keys);
            insert.setString(3, "order.created");
            insert.setBytes(4, Payload.of(number, bytes));
            insert.executeUpdate();
        }
    }

    private List<StagedJob> jobs(int count) {
        List<StagedJob> jobs = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            jobs.add(job());
        }
        return jobs;
    }

    private StagedJob job() {
        long number = numbers.incrementAndGet();
        return StagedJob.builder("orders", "order.created")
                .key("k" + number % keys)
                .payload(Payload.of(number, bytes))
                .build();
    }
}
