package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.TestPostgres;
import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** A standby takes over from the primary; the enqueuer knows the addresses of both. */
class FailoverTest {

    @Test
    void a_failover_that_loses_nothing_is_survived_and_a_former_primary_that_comes_back_is_not_used() throws Exception {
        try (Scene scene = new Scene(Map.of("wal_keep_size", "256MB"))) {
            TestPostgres first = scene.postgres;
            first.stop();
            Path copy = first.copyData();
            first.startAgain();
            TestPostgres second = scene.keep(first.startStandby(copy));
            scene.set(
                    "STAGED_JOBS_DATABASE_URL",
                    "jdbc:postgresql://127.0.0.1:" + second.port() + ",127.0.0.1:" + first.port() + "/"
                            + scene.outbox.database.name());
            Command.Daemon daemon = scene.daemon("enqueuer"); // works, though the first address is a standby's
            try (Ledger.Load load = scene.ledger.load(3)) {
                load.await(100);
                first.stop(); // not before the standby has all that was committed
                second.promote();
                scene.ledger.moveTo(second.database(scene.outbox.database.name()));
                load.await(100);
                daemon.process.awaitLine(
                        Pattern.compile("WARN.*PostgreSQL is on timeline 2 now, it was on 1"), Duration.ofSeconds(60));
                first.startAgain(); // as the primary that it was
                try (Connection former = scene.outbox.database.connect()) {
                    TestOutbox.stage(former, scene.topic, "k", "to-the-former-primary#1");
                }
                for (int i = 0; i < 3; i++) { // the addresses are tried in a random order
                    assertThat(scene.endConnectionsOfDaemons()).isPositive();
                    load.await(30);
                    Scene.awaitReady(daemon);
                }
            }
            scene.ledger.checkDrained();
            assertThat(scene.outbox.waiting()).as("jobs of the former primary").isPositive();
        }
    }
}
