package io.stagedjobs.benchmarks;

import io.stagedjobs.enqueuer.cli.Cli;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.ChildJvm;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestDatabase;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The enqueuer of this tree.
 *
 * @param label its mode of delivery
 */
record EnqueuerRelay(String label) implements Relay {

    @Override
    public void install(TestDatabase database) throws SQLException {
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.migrate(connection);
        }
    }

    @Override
    public String insert() {
        return "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                + " SELECT topic, job_key, 'measured', convert_to(payload, 'UTF8')";
    }

    @Override
    public ChildProcess start(Launch launch) {
        TestDatabase database = launch.database();
        Map<String, String> environment = new HashMap<>(Map.of(
                "STAGED_JOBS_DATABASE_URL",
                database.url(),
                "STAGED_JOBS_DATABASE_USERNAME",
                database.username(),
                "STAGED_JOBS_DATABASE_PASSWORD",
                database.password(),
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS",
                launch.bootstrapServers(),
                "STAGED_JOBS_ADMIN_PORT",
                "0",
                "STAGED_JOBS_DELIVERY",
                label));
        environment.putAll(launch.settings());
        return ChildJvm.start(label, Cli.class, launch.jvm(), List.of("run"), environment);
    }
}
