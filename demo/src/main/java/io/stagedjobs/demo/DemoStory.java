package io.stagedjobs.demo;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.sample.Topics;
import io.stagedjobs.testkit.TestDatabase;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntFunction;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/**
 * The demo playing by itself: users sign up while nothing fails, and then while the enqueuer is killed; users crowd at
 * one address, fail after staging and are renamed by plain SQL. Then everything is drained and audited, and printed in
 * plain words.
 */
final class DemoStory {

    static final String FAIL_HEADER = "Sample-Fail";
    static final String AFTER_STAGING = "after-staging";

    private static final int USERS = 200;
    private static final int USERS_IN_CALM = USERS / 2;
    private static final int CLIENTS = 8;
    private static final int CROWD = 50;
    private static final int FAILING = 25;
    private static final int RENAMED = 20;
    private static final int RENAMES_OF_EACH = 2;
    private static final int RENAMES_ROLLED_BACK = 5;

    private static final int CREATED = 201;
    private static final int FAILED = 500;

    private static final Duration ANSWER_MAX = Duration.ofSeconds(60);
    private static final Duration CALM_MAX = Duration.ofSeconds(20);
    private static final Duration ARRIVAL_MAX = Duration.ofSeconds(60);

    // The SQL that a service in any language would send. The update locks the user's row, so that the actions of one
    // user and their jobs are in the order of their commits.
    private static final String RENAME = "UPDATE users SET name = ? WHERE email = ? RETURNING id";
    private static final String WRITE_ACTION =
            "INSERT INTO user_actions (user_id, action) VALUES (?, 'renamed') RETURNING id";
    private static final String STAGE = "SELECT stage_job('" + Topics.DEFAULT.users() + "', 'user.renamed',"
            + " jsonb_build_object('userId', ?::bigint, 'name', ?::text, 'actionId', ?::bigint), ?)";

    private final HttpClient http = HttpClient.newHttpClient();
    private final String url;
    private final TestDatabase database;
    private final Auditor auditor;
    private final Arrivals arrivals;
    private final Runnable crash;
    private final Runnable drain;
    private final PrintStream out;

    /** Everything that differs from the story, except the audit's findings. */
    private final List<String> surprises = new ArrayList<>();

    /**
     * A story to play once.
     *
     * @param url of the sample service
     * @param crash kills the enqueuer without warning and starts another one
     * @param drain returns when all jobs committed before are published
     */
    DemoStory(
            String url,
            TestDatabase database,
            Auditor auditor,
            Arrivals arrivals,
            Runnable crash,
            Runnable drain,
            PrintStream out) {
        this.url = url;
        this.arrivals = arrivals;
        this.database = database;
        this.auditor = auditor;
        this.crash = crash;
        this.drain = drain;
        this.out = out;
    }

    /** @return whether the audit passed and there was no other surprise */
    boolean play() throws InterruptedException {
        out.println(USERS_IN_CALM + " users sign up, " + CLIENTS + " at a time.");
        expect(USERS_IN_CALM, CREATED, signUps(USERS_IN_CALM, CLIENTS, DemoStory::user));
        arrivals.await(USERS_IN_CALM, CALM_MAX);
        AuditReport calm = auditor.audit();

        int rest = USERS - USERS_IN_CALM;
        out.println(rest + " more sign up, the enqueuer is killed without warning, and another one is started.");
        expect(rest, CREATED, signUps(rest, CLIENTS, i -> user(USERS_IN_CALM + i)));
        crash.run();

        out.println(CROWD + " requests at once want one and the same address.");
        expect(CROWD, CREATED, signUps(CROWD, CROWD, i -> "crowd@example.org"));

        out.println(FAILING + " requests fail after their job was staged.");
        expect(
                FAILING,
                FAILED,
                signUps(FAILING, CLIENTS, i -> "failing" + i + "@example.org", FAIL_HEADER, AFTER_STAGING));

        out.println(RENAMED + " users are renamed " + RENAMES_OF_EACH + " times each by plain SQL over JDBC, "
                + RENAMES_ROLLED_BACK + " more renames are rolled back.");
        rename();
        checkUsers();

        out.println("Waiting until the enqueuer has drained everything, then comparing PostgreSQL and Kafka.");
        drain.run();
        AuditReport audit = auditor.audit();
        long consumed = arrivals.await(audit.records(), ARRIVAL_MAX);
        if (consumed != audit.records()) {
            surprises.add("the consumer printed " + consumed + " jobs of " + audit.records());
        }
        report(calm, audit, consumed);
        return audit.passed() && surprises.isEmpty();
    }

    private void report(AuditReport calm, AuditReport audit, long consumed) {
        int renames = RENAMED * RENAMES_OF_EACH;
        int users = USERS + 1;
        out.println();
        line(
                "requests",
                "%d sent: %d for different addresses, %d at once for one, %d made to fail"
                        .formatted(USERS + CROWD + FAILING, USERS, CROWD, FAILING));
        line(
                "committed",
                "%d transactions that stored something and staged a job: %d new users, %d renames"
                        .formatted(users + renames, users, renames));
        line(
                "rolled back",
                "%d transactions: %d failed requests, %d renames"
                        .formatted(FAILING + RENAMES_ROLLED_BACK, FAILING, RENAMES_ROLLED_BACK));
        line("published", audit.records() + " records, read anew from Kafka");
        line("consumed", consumed + " jobs printed by the sample's consumer");
        line(
                "lag",
                "%d ms median, %d ms at most, from staging to Kafka, of the %d jobs before the kill"
                        .formatted(calm.lagMedian().toMillis(), calm.lagMax().toMillis(), calm.records()));
        line(
                "recovery",
                "%d ms at most, of the jobs that the killed enqueuer left behind"
                        .formatted(audit.lagMax().toMillis()));
        line("audit", audit.summary());
        surprises.forEach(surprise -> line("unexpected", surprise));
        out.println();
    }

    private void line(String name, String text) {
        out.printf("  %-12s %s%n", name, text);
    }

    private static String user(int number) {
        return "user" + number + "@example.org";
    }

    /** @return the number of answers by status */
    private Map<Integer, Integer> signUps(int count, int clients, IntFunction<String> email, String... headers)
            throws InterruptedException {
        List<Callable<Integer>> requests = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String address = email.apply(i);
            requests.add(() -> signUp(address, headers));
        }
        ExecutorService threads = Executors.newFixedThreadPool(clients);
        try {
            Map<Integer, Integer> answers = new HashMap<>();
            for (Future<Integer> answer : threads.invokeAll(requests)) {
                answers.merge(answer.get(), 1, Integer::sum);
            }
            return answers;
        } catch (ExecutionException e) {
            throw new IllegalStateException("could not send a request to " + url + ": " + e.getCause(), e);
        } finally {
            threads.shutdownNow();
        }
    }

    private int signUp(String email, String... headers) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(
                        URI.create(url + "/users?email=" + URLEncoder.encode(email, UTF_8)))
                .PUT(BodyPublishers.noBody())
                .timeout(ANSWER_MAX);
        if (headers.length > 0) {
            request.headers(headers);
        }
        return http.send(request.build(), BodyHandlers.discarding()).statusCode();
    }

    private void expect(int count, int status, Map<Integer, Integer> answers) {
        if (!answers.equals(Map.of(status, count))) {
            surprises.add("expected " + count + " answers " + status + ", got (status=how often) " + answers);
        }
    }

    private void rename() {
        try (Connection connection = database.connect()) {
            connection.setAutoCommit(false);
            for (int i = 0; i < RENAMED * RENAMES_OF_EACH; i++) {
                rename(connection, user(i % RENAMED), "Name " + i);
                connection.commit();
            }
            for (int i = 0; i < RENAMES_ROLLED_BACK; i++) {
                rename(connection, user(i), "Nobody");
                connection.rollback();
            }
        } catch (SQLException e) {
            throw new IllegalStateException("could not rename a user by plain SQL: " + e.getMessage(), e);
        }
    }

    private static void rename(Connection connection, String email, String name) throws SQLException {
        try (PreparedStatement rename = connection.prepareStatement(RENAME);
                PreparedStatement writeAction = connection.prepareStatement(WRITE_ACTION);
                PreparedStatement stage = connection.prepareStatement(STAGE)) {
            rename.setString(1, name);
            rename.setString(2, email);
            long userId = id(rename);
            writeAction.setLong(1, userId);
            long actionId = id(writeAction);
            stage.setLong(1, userId);
            stage.setString(2, name);
            stage.setLong(3, actionId);
            stage.setString(4, Long.toString(userId));
            stage.execute();
        }
    }

    private static long id(PreparedStatement returningId) throws SQLException {
        try (ResultSet row = returningId.executeQuery()) {
            row.next();
            return row.getLong(1);
        }
    }

    /** The audit compares actions with records; this checks that the right users were kept. */
    private void checkUsers() {
        int users = DSL.using(database.dataSource(), SQLDialect.POSTGRES)
                .fetchSingle("SELECT count(*) FROM users")
                .into(int.class);
        int leaked = DSL.using(database.dataSource(), SQLDialect.POSTGRES)
                .fetchSingle("SELECT count(*) FROM users WHERE email LIKE 'failing%' OR name = 'Nobody'")
                .into(int.class);
        if (users != USERS + 1) {
            surprises.add("expected " + (USERS + 1) + " users, found " + users);
        }
        if (leaked != 0) {
            surprises.add("found " + leaked + " users as rolled-back transactions would have left them");
        }
    }
}
