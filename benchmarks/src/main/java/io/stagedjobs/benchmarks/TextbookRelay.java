package io.stagedjobs.benchmarks;

import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** {@link TextbookLoop}, as a process. */
record TextbookRelay() implements Relay {

    @Override
    public String label() {
        return "textbook";
    }

    @Override
    public void install(TestDatabase database) throws SQLException {
        try (Connection connection = database.connect();
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
                    + " topic text NOT NULL, job_key text, payload bytea NOT NULL)");
        }
    }

    @Override
    public String insert() {
        return "INSERT INTO outbox (topic, job_key, payload) SELECT topic, job_key, convert_to(payload, 'UTF8')";
    }

    @Override
    public ChildProcess start(Launch launch) {
        TestDatabase database = launch.database();
        List<String> jvm = new ArrayList<>(launch.jvm());
        jvm.add("-Dlogback.configurationFile=benchmarks/logback.xml"); // without one, each request would be logged
        return ChildJvm.start(
                label(),
                TextbookLoop.class,
                jvm,
                List.of(database.url(), database.username(), database.password(), launch.bootstrapServers()),
                Map.of());
    }
}
