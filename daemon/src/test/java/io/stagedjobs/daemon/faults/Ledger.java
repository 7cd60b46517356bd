package io.stagedjobs.daemon.faults;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * Double entry: each transaction that stages jobs writes their names into a table of its own, too. When all is over,
 * that table tells what PostgreSQL kept, whatever became of a commit whose answer was lost, and a reader must find
 * exactly that.
 *
 * <p>A job's name is its key, {@code #} and a number that rises with each job of the key.
 */
final class Ledger {

    /** Topics are named at random, and lanes follow from them: of fewer keys, one of eight lanes may have none. */
    static final int KEYS_IN_EVERY_LANE = 160;

    private static final int JOBS_OF_A_TRANSACTION = 8;
    private static final int REST_MILLIS = 25;

    private static final String STAGE = "WITH entries AS (INSERT INTO ledger (name, job_key, n)"
            + " SELECT ? || '.' || (n % ?) || '#' || n, ? || '.' || (n % ?), n FROM generate_series(?, ?) AS n"
            + " RETURNING name, job_key, n) INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
            + " SELECT ?, job_key, name, convert_to(rpad('', ?, md5(name)), 'UTF8') FROM entries ORDER BY n";

    private final TestOutbox outbox;
    private final String topic;
    private final int keys;
    private final AtomicLong lastNumber = new AtomicLong();
    private final Set<String> acknowledged = ConcurrentHashMap.newKeySet();
    private final Set<String> rolledBack = ConcurrentHashMap.newKeySet();
    private volatile TestDatabase database;

    Ledger(TestOutbox outbox, String topic) throws SQLException {
        this(outbox, topic, KEYS_IN_EVERY_LANE);
    }

    /** @param keys of each writer: enough of them use every lane, a single one uses one lane */
    Ledger(TestOutbox outbox, String topic, int keys) throws SQLException {
        this.keys = keys;
        this.outbox = outbox;
        this.topic = topic;
        this.database = outbox.database;
        execute("CREATE TABLE ledger (name text PRIMARY KEY, job_key text, n bigint)");
    }

    /** From now on writers and checks use this database: the outbox's own one on another server. */
    void moveTo(TestDatabase other) {
        database = other;
    }

    Connection connect() throws SQLException {
        return database.connect();
    }

    void execute(String sql) throws SQLException {
        try (Connection connection = connect();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** The first column of the first row. */
    String ask(String sql) throws SQLException {
        try (Connection connection = connect();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }

    /** Jobs that are not published yet, those moved aside among them. */
    long waiting() throws SQLException {
        return Long.parseLong(ask("SELECT (SELECT count(*) FROM staged_jobs) + (SELECT count(*) FROM parked_jobs)"));
    }

    /** Stages jobs in one transaction. */
    void stage(int jobs) throws SQLException {
        stage(jobs, 100);
    }

    void stage(int jobs, int payloadBytes) throws SQLException {
        try (Connection connection = connect()) {
            connection.setAutoCommit(false);
            List<String> names = stage(connection, "bulk", jobs, payloadBytes);
            connection.commit();
            acknowledged.addAll(names);
        }
    }

    /** Stages in an open transaction; the names become acknowledged only through {@link #committed}. */
    List<String> stage(Connection connection, String writer, int jobs, int payloadBytes) throws SQLException {
        long last = lastNumber.addAndGet(jobs);
        long first = last - jobs + 1;
        try (PreparedStatement insert = connection.prepareStatement(STAGE)) {
            insert.setString(1, writer);
            insert.setInt(2, keys);
            insert.setString(3, writer);
            insert.setInt(4, keys);
            insert.setLong(5, first);
            insert.setLong(6, last);
            insert.setString(7, topic);
            insert.setInt(8, payloadBytes);
            insert.executeUpdate();
        }
        List<String> names = new ArrayList<>();
        for (long n = first; n <= last; n++) {
            names.add(writer + "." + n % keys + "#" + n);
        }
        return names;
    }

    /**
     * Enters one job that the caller stages in its own way, under the key that {@link #key} gives; returns its name.
     */
    String enter(Connection connection, String writer) throws SQLException {
        long n = lastNumber.incrementAndGet();
        String name = writer + "." + n % keys + "#" + n;
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO ledger VALUES (?, ?, ?)")) {
            insert.setString(1, name);
            insert.setString(2, key(name));
            insert.setLong(3, n);
            insert.executeUpdate();
        }
        return name;
    }

    static String key(String name) {
        return name.substring(0, name.indexOf('#'));
    }

    void committed(List<String> names) {
        acknowledged.addAll(names);
    }

    void rolledBack(List<String> names) {
        rolledBack.addAll(names);
    }

    /** Writers at work until they are closed; each goes on with a new connection after a failure. */
    Load load(int writers) {
        return load(writers, "SELECT");
    }

    /** As {@link #load(int)}, with a statement that begins each transaction. */
    Load load(int writers, String prelude) {
        return new Load(writers, prelude);
    }

    final class Load implements AutoCloseable {
        private final List<Thread> threads = new ArrayList<>();
        private final AtomicLong commits = new AtomicLong();
        private volatile boolean ending;

        private volatile String lastFailure = "none";

        private Load(int writers, String prelude) {
            for (int i = 0; i < writers; i++) {
                String writer = "writer-" + i;
                Thread thread = new Thread(() -> write(writer, prelude), writer);
                thread.start();
                threads.add(thread);
            }
        }

        /** Transactions acknowledged so far. */
        long commits() {
            return commits.get();
        }

        /** SQLSTATE and words of the last refusal that a writer met. */
        String lastFailure() {
            return lastFailure;
        }

        /** Waits until that many more transactions were acknowledged. */
        void await(int more) throws Exception {
            long enough = commits() + more;
            Eventually.until(more + " more transactions are committed", () -> commits() >= enough);
        }

        private void write(String writer, String prelude) {
            Random random = new Random(writer.hashCode());
            while (!ending) {
                try (Connection connection = connect();
                        Statement statement = connection.createStatement()) {
                    connection.setAutoCommit(false);
                    while (!ending) {
                        statement.execute(prelude);
                        List<String> names = stage(connection, writer, 1 + random.nextInt(JOBS_OF_A_TRANSACTION), 200);
                        if (random.nextInt(5) == 0) {
                            connection.rollback();
                            rolledBack.addAll(names);
                        } else {
                            connection.commit();
                            acknowledged.addAll(names);
                            commits.incrementAndGet();
                        }
                        TimeUnit.MILLISECONDS.sleep(REST_MILLIS);
                    }
                } catch (SQLException e) {
                    lastFailure = e.getSQLState() + " " + e.getMessage();
                    rest();
                } catch (InterruptedException e) {
                    return;
                }
            }
        }

        private void rest() {
            try {
                TimeUnit.MILLISECONDS.sleep(2 * REST_MILLIS);
            } catch (InterruptedException e) {
                ending = true;
            }
        }

        /** Lets the writers finish what they have begun. */
        @Override
        public void close() throws InterruptedException {
            ending = true;
            for (Thread thread : threads) {
                thread.join();
            }
        }
    }

    /** Waits until the table is empty, then compares; every acknowledged job must be there. */
    void checkDrained() throws Exception {
        checkDrained(true);
    }

    /**
     * @param acknowledgedIsKept false if writers let PostgreSQL lose what it acknowledged ({@code synchronous_commit =
     * off})
     */
    void checkDrained(boolean acknowledgedIsKept) throws Exception {
        Command.explained(outbox, () -> compare(acknowledgedIsKept));
    }

    private void compare(boolean acknowledgedIsKept) throws Exception {
        Eventually.until("no job waits", () -> waiting() == 0);
        Set<String> kept = new HashSet<>();
        try (Connection connection = connect();
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT name FROM ledger")) {
            while (rows.next()) {
                kept.add(rows.getString(1));
            }
        }
        List<ConsumerRecord<byte[], byte[]>> records = outbox.read(topic);
        List<String> read = new ArrayList<>();
        Map<String, Long> lastOfKey = new HashMap<>();
        List<String> overtaken = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            String name = TestOutbox.header(record, "ce_type");
            read.add(name);
            long n = Long.parseLong(name.substring(name.indexOf('#') + 1));
            Long before = record.key() == null ? null : lastOfKey.put(new String(record.key(), UTF_8), n);
            if (before != null && before >= n) {
                overtaken.add(name);
            }
        }
        System.out.printf(
                "ledger: %d jobs committed (%d acknowledged), %d rolled back, %d records read%n",
                kept.size(), acknowledged.size(), rolledBack.size(), records.size());
        assertThat(kept).as("the test staged something").isNotEmpty();
        assertThat(minus(read, kept)).as("published, but not committed").isEmpty();
        assertThat(minus(kept, Set.copyOf(read)))
                .as("committed, but not published")
                .isEmpty();
        assertThat(read).as("published twice").doesNotHaveDuplicates();
        assertThat(overtaken).as("came after a later job of its key").isEmpty();
        assertThat(read.stream().filter(rolledBack::contains)).as("rolled back").isEmpty();
        if (acknowledgedIsKept) {
            assertThat(minus(acknowledged, kept)).as("acknowledged, but lost").isEmpty();
        }
    }

    private static List<String> minus(Iterable<String> all, Set<String> without) {
        List<String> left = new ArrayList<>();
        all.forEach(name -> {
            if (!without.contains(name)) {
                left.add(name);
            }
        });
        return left;
    }
}
