package io.stagedjobs.benchmarks;

import io.stagedjobs.enqueuer.cli.Cli;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What is compared: how its table is made and filled, and how it is started. */
enum Relay {
    AT_LEAST_ONCE("at-least-once") {
        @Override
        ChildProcess start(
                TestDatabase database, String bootstrapServers, Map<String, String> settings, List<String> jvm) {
            return enqueuer("at-least-once", database, bootstrapServers, settings, jvm);
        }
    },
    EXACTLY_ONCE("exactly-once") {
        @Override
        ChildProcess start(
                TestDatabase database, String bootstrapServers, Map<String, String> settings, List<String> jvm) {
            return enqueuer("exactly-once", database, bootstrapServers, settings, jvm);
        }
    },
    TEXTBOOK("textbook") {
        @Override
        void install(Connection connection) throws SQLException {
            try (Statement statement = connection.createStatement()) {
                statement.execute(TextbookLoop.TABLE);
            }
        }

        @Override
        String insert() {
            return TextbookLoop.INSERT;
        }

        @Override
        ChildProcess start(
                TestDatabase database, String bootstrapServers, Map<String, String> settings, List<String> jvm) {
            return ChildJvm.start(
                    label,
                    TextbookLoop.class,
                    jvm,
                    List.of(database.url(), database.username(), database.password(), bootstrapServers),
                    Map.of());
        }
    };

    /**
     * Keys go round, each payload begins with its number; rows are staged in the order of the numbers. Parameters: topic,
     * keys, bytes, first and last number.
     */
    private static final String ROWS =
            " SELECT ?, 'k' || seq.n % ?, rpad('{\"n\":\"' || lpad(seq.n::text, 10, '0') || '\",\"d\":\"'"
                    + " || md5(seq.n::text) || md5((-seq.n)::text) || md5((seq.n + 7)::text), ? - 2, md5(seq.n::text)) || '\"}'"
                    + " FROM generate_series(?, ?) AS seq (n) ORDER BY seq.n";

    final String label;

    Relay(String label) {
        this.label = label;
    }

    static Relay of(String label) {
        return Stream.of(values())
                .filter(relay -> relay.label.equals(label))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no such relay: " + label + "; there are "
                        + Stream.of(values()).map(relay -> relay.label).toList()));
    }

    abstract ChildProcess start(
            TestDatabase database, String bootstrapServers, Map<String, String> settings, List<String> jvm);

    void install(Connection connection) throws SQLException {
        Schema.PUBLIC.migrate(connection);
    }

    /** The insert of one row whose columns are topic, key and payload (text). */
    String insert() {
        return "INSERT INTO staged_jobs (topic, job_key, job_name, payload) SELECT topic, job_key, 'measured', convert_to(payload, 'UTF8')";
    }

    /** Stages one job; parameters: topic, key, payload. */
    String insertOne() {
        return insert() + " FROM (VALUES (?::text, ?::text, ?::text)) AS made (topic, job_key, payload)";
    }

    /** Stages jobs in one transaction. */
    void stage(Connection connection, String topic, int keys, int bytes, long first, long last) throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement(insert() + " FROM (" + ROWS + ") AS made (topic, job_key, payload)")) {
            statement.setString(1, topic);
            statement.setInt(2, keys);
            statement.setInt(3, bytes);
            statement.setLong(4, first);
            statement.setLong(5, last);
            statement.execute();
        }
    }

    private static ChildProcess enqueuer(
            String delivery,
            TestDatabase database,
            String bootstrapServers,
            Map<String, String> settings,
            List<String> jvm) {
        Map<String, String> environment = new HashMap<>(Map.of(
                "STAGED_JOBS_DATABASE_URL",
                database.url(),
                "STAGED_JOBS_DATABASE_USERNAME",
                database.username(),
                "STAGED_JOBS_DATABASE_PASSWORD",
                database.password(),
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS",
                bootstrapServers,
                "STAGED_JOBS_ADMIN_PORT",
                "0",
                "STAGED_JOBS_DELIVERY",
                delivery));
        environment.putAll(settings);
        return ChildJvm.start(delivery, Cli.class, jvm, List.of("run"), environment);
    }
}
