package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;

/**
 * Debezium's outbox event router on Kafka Connect; the settings are in {@code benchmarks/peers/debezium}. It reads the
 * write-ahead log, and leaves the rows where they are.
 */
record DebeziumRelay() implements Relay {

    private static final Peer PEER = new Peer("debezium");
    /** Names the replication slot and the publication. */
    private static final String SLOT = "measured";

    @Override
    public String label() {
        return PEER.name();
    }

    @Override
    public Map<String, String> postgresSettings() {
        return Map.of("wal_level", "logical");
    }

    /** The documented table, with a payload of text: jsonb would give back other bytes than it was given. */
    @Override
    public void install(TestDatabase database) throws SQLException {
        try (Connection connection = database.connect();
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE outbox (id uuid PRIMARY KEY, aggregatetype varchar(255) NOT NULL,"
                    + " aggregateid varchar(255) NOT NULL, type varchar(255) NOT NULL, payload text)");
            statement.execute("CREATE PUBLICATION " + SLOT + " FOR TABLE outbox WITH (publish = 'insert')");
            statement.execute("SELECT pg_create_logical_replication_slot('" + SLOT + "', 'pgoutput')");
        }
    }

    @Override
    public String insert() {
        return "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload)"
                + " SELECT gen_random_uuid(), topic, job_key, 'measured', payload";
    }

    @Override
    public ChildProcess start(Launch launch) {
        TestDatabase database = launch.database();
        return PEER.start(
                "org.apache.kafka.connect.cli.ConnectStandalone",
                launch.jvm(),
                List.of(
                        PEER.folder().resolve("worker.properties").toString(),
                        PEER.folder().resolve("connector.properties").toString()),
                Map.of(
                        "BOOTSTRAP_SERVERS", launch.bootstrapServers(),
                        "OFFSETS_FILE", newFile().toString(),
                        "DATABASE_HOST", database.host(),
                        "DATABASE_PORT", "" + database.port(),
                        "DATABASE_USERNAME", database.username(),
                        "DATABASE_PASSWORD", database.password(),
                        "DATABASE_NAME", database.name(),
                        "SLOT", SLOT));
    }

    private static Path newFile() {
        try {
            Path file = Files.createTempFile("staged-jobs-debezium", ".offsets");
            file.toFile().deleteOnExit();
            return file;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Drops the slot, as soon as the server has noticed that its reader is gone. */
    @Override
    public void uninstall(TestDatabase database) throws SQLException {
        try (Connection connection = database.connect();
                Statement statement = connection.createStatement()) {
            statement.execute("DO $$ BEGIN"
                    + " PERFORM pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE active;"
                    + " PERFORM pg_drop_replication_slot(slot_name) FROM pg_replication_slots;"
                    + " END $$");
        }
    }
}
