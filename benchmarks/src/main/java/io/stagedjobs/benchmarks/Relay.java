package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What is compared: how its table is made and filled, and how its process is started. */
interface Relay {

    /**
     * Keys go round, each payload begins with its number; rows are staged in the order of the numbers. Parameters:
     * topic, keys, bytes, first and last number.
     */
    String ROWS = " SELECT ?, 'k' || seq.n % ?, rpad('{\"n\":\"' || lpad(seq.n::text, 10, '0') || '\",\"d\":\"'"
            + " || md5(seq.n::text) || md5((-seq.n)::text) || md5((seq.n + 7)::text), ? - 2, md5(seq.n::text)) || '\"}'"
            + " FROM generate_series(?, ?) AS seq (n) ORDER BY seq.n";

    /**
     * What a relay's process is started with.
     *
     * @param jvm options of its virtual machine
     */
    record Launch(TestDatabase database, String bootstrapServers, String topic, List<String> jvm) {}

    /** The name on the command line and in the tables. */
    String label();

    /** The label of what its cost is compared with: its jobs are staged, and nothing else is done. */
    default String control() {
        return NoRelay.LABEL;
    }

    /** Whether anything reaches Kafka. */
    default boolean publishes() {
        return true;
    }

    /** Settings that this relay needs PostgreSQL to have; the server has them for the whole run. */
    default Map<String, String> postgresSettings() {
        return Map.of();
    }

    /** Makes its tables, and whatever has to be there before the first job is staged. */
    void install(TestDatabase database) throws SQLException;

    /** Begins an INSERT of rows whose columns are topic, job_key and payload, all text, and lacks only their FROM. */
    String insert();

    ChildProcess start(Launch launch);

    /** Removes what would outlive the database, or keep it from being dropped; its process is gone. */
    default void uninstall(TestDatabase database) throws SQLException {}

    /** Stages one job; parameters: topic, key, payload. */
    default String insertOne() {
        return insert() + " FROM (VALUES (?::text, ?::text, ?::text)) AS made (topic, job_key, payload)";
    }

    /**
     * The table of which PostgreSQL takes statistics after staging, as it would have them of one that was not filled a
     * moment ago: for relays whose statements have no plans of their own to go by.
     */
    default Optional<String> analyzed() {
        return Optional.empty();
    }

    /** Stages jobs in one transaction. */
    default void stage(Connection connection, String topic, int keys, int bytes, long first, long last)
            throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement(insert() + " FROM (" + ROWS + ") AS made (topic, job_key, payload)")) {
            statement.setString(1, topic);
            statement.setInt(2, keys);
            statement.setInt(3, bytes);
            statement.setLong(4, first);
            statement.setLong(5, last);
            statement.execute();
        }
        if (analyzed().isPresent()) {
            try (Statement statement = connection.createStatement()) {
                statement.execute("ANALYZE " + analyzed().get());
            }
        }
    }
}
