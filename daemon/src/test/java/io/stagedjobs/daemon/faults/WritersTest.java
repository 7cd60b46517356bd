package io.stagedjobs.daemon.faults;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;

/** Ids that never come, come late, or come in a way of their own. */
@Tag("long")
class WritersTest {

    private static final int TRANSACTIONS = 60;

    private interface Writer {
        void write(Connection connection, int round) throws Exception;
    }

    @Test
    void writers_of_many_kinds_leave_gaps_and_commit_out_of_order_and_every_job_is_published_once() throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        try (Scene scene = new Scene(Map.of())) {
            Ledger ledger = scene.ledger;
            scene.daemon("one");
            scene.daemon("another");
            List<Future<?>> writers = new ArrayList<>();
            try (Ledger.Load load = ledger.load(2)) {
                writers.add(threads.submit(() -> run(ledger, (c, i) -> savepoints(ledger, c))));
                writers.add(threads.submit(() -> run(ledger, (c, i) -> prepared(ledger, c, i))));
                writers.add(threads.submit(() -> run(ledger, (c, i) -> copied(ledger, c, scene.topic))));
                writers.add(threads.submit(() -> run(ledger, (c, i) -> function(ledger, c, scene.topic))));
                writers.add(threads.submit(() -> run(ledger, (c, i) -> gaps(ledger, c))));
                writers.add(threads.submit(() -> run(ledger, (c, i) -> late(ledger, c, load))));
                for (Future<?> writer : writers) {
                    writer.get();
                }
            }
            ledger.checkDrained();
        } finally {
            threads.shutdownNow();
        }
    }

    private static Void run(Ledger ledger, Writer writer) throws Exception {
        try (Connection connection = ledger.connect()) {
            connection.setAutoCommit(false);
            for (int i = 0; i < TRANSACTIONS; i++) {
                writer.write(connection, i);
            }
        }
        return null;
    }

    private static void savepoints(Ledger ledger, Connection connection) throws Exception {
        List<String> kept = new ArrayList<>(ledger.stage(connection, "savepoint", 3, 50));
        Savepoint savepoint = connection.setSavepoint();
        ledger.rolledBack(ledger.stage(connection, "savepoint", 3, 50));
        connection.rollback(savepoint);
        kept.addAll(ledger.stage(connection, "savepoint", 3, 50));
        connection.commit();
        ledger.committed(kept);
    }

    private static void prepared(Ledger ledger, Connection connection, int round) throws Exception {
        List<String> names = ledger.stage(connection, "prepared", 3, 50);
        try (Statement statement = connection.createStatement()) {
            statement.execute("PREPARE TRANSACTION 'round " + round + "'");
            connection.setAutoCommit(true);
            if (round % 3 == 0) {
                statement.execute("ROLLBACK PREPARED 'round " + round + "'");
                ledger.rolledBack(names);
            } else {
                statement.execute("COMMIT PREPARED 'round " + round + "'");
                ledger.committed(names);
            }
            connection.setAutoCommit(false);
        }
    }

    private static void copied(Ledger ledger, Connection connection, String topic) throws Exception {
        List<String> names = List.of(ledger.enter(connection, "copy"), ledger.enter(connection, "copy"));
        StringBuilder rows = new StringBuilder();
        names.forEach(name -> rows.append(topic + "\t" + Ledger.key(name) + "\t" + name + "\n"));
        connection
                .unwrap(PGConnection.class)
                .getCopyAPI()
                .copyIn(
                        "COPY staged_jobs (topic, job_key, job_name) FROM STDIN",
                        new ByteArrayInputStream(rows.toString().getBytes(UTF_8)));
        connection.commit();
        ledger.committed(names);
    }

    private static void function(Ledger ledger, Connection connection, String topic) throws Exception {
        String name = ledger.enter(connection, "function");
        try (PreparedStatement call = connection.prepareStatement("SELECT stage_job(?, ?, '{}', ?)")) {
            call.setString(1, topic);
            call.setString(2, name);
            call.setString(3, Ledger.key(name));
            call.execute();
        }
        connection.commit();
        ledger.committed(List.of(name));
    }

    private static void gaps(Ledger ledger, Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.execute("SELECT nextval('staged_jobs_id_seq') FROM generate_series(1, 1000)");
        }
        ledger.rolledBack(ledger.stage(connection, "gap", 20, 50));
        connection.rollback();
        List<String> names = ledger.stage(connection, "gap", 1, 50);
        connection.commit();
        ledger.committed(names);
    }

    /** Commits when higher ids are published long since. */
    private static void late(Ledger ledger, Connection connection, Ledger.Load load) throws Exception {
        List<String> names = ledger.stage(connection, "late", 3, 50);
        load.await(5);
        connection.commit();
        ledger.committed(names);
    }
}
