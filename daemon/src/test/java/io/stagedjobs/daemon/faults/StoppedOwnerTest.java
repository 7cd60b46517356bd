package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A lane's owner is stopped (SIGSTOP) while PostgreSQL sends it a batch: no timeout of PostgreSQL ends that. */
@Tag("long")
class StoppedOwnerTest {

    private static final String OF_THE_FETCH =
            " FROM pg_stat_activity WHERE application_name LIKE 'staged-jobs%' AND query LIKE '%payload%' AND state"
                    + " = 'active'";

    /** More than the buffers between the two hold. */
    private static final int JOBS_OF_A_BATCH = 200;

    private static final int PAYLOAD = 100_000;

    @Test
    void an_owner_stopped_in_mid_fetch_is_relieved_and_publishes_nothing_when_it_goes_on() throws Exception {
        try (Scene scene = new Scene(Map.of(), TestKafka.shared(), 1)) {
            scene.set("STAGED_JOBS_BATCH_SIZE", "" + JOBS_OF_A_BATCH);
            scene.set("STAGED_JOBS_BATCH_BYTES", "" + 2 * JOBS_OF_A_BATCH * PAYLOAD);
            Command.Daemon zombie = scene.daemon("zombie");
            scene.ledger.stage(10);
            Eventually.until("the first jobs are published", () -> scene.ledger.waiting() == 0);
            stopInMidFetch(scene, zombie);
            long waiting = scene.ledger.waiting();
            long stopped = System.nanoTime();
            Command.Daemon heir = scene.daemon("heir");
            Eventually.until("the heir moves the lane", () -> scene.ledger.waiting() < waiting);
            Duration takeover = Duration.ofNanos(System.nanoTime() - stopped);
            System.out.printf(
                    "stopped in mid-fetch: moved on after %d ms, the heir's start included%n", takeover.toMillis());
            assertThat(takeover).isLessThan(Duration.ofSeconds(60));
            Eventually.until("nothing waits", () -> scene.ledger.waiting() == 0);
            zombie.process.resume();
            Eventually.until("the zombie is back among the living", () -> scene.ledger
                    .ask("SELECT count(DISTINCT owner) FROM staged_job_lanes")
                    .equals("2"));
            scene.ledger.stage(100);
            scene.ledger.checkDrained();
            Scene.awaitReady(heir);
            Scene.awaitReady(zombie);
        }
    }

    /**
     * Locks let us stop the owner after it has asked for a batch and before the first row was sent: it comes as far as
     * the lane's, and from there, as that is given up, as far as the table's.
     */
    private static void stopInMidFetch(Scene scene, Command.Daemon owner) throws Exception {
        try (Connection ofLanes = scene.ledger.connect();
                Connection ofTable = scene.ledger.connect();
                Statement lockLanes = ofLanes.createStatement();
                Statement lockTable = ofTable.createStatement()) {
            ofLanes.setAutoCommit(false);
            ofTable.setAutoCommit(false);
            lockLanes.execute("SELECT FROM staged_job_lanes FOR UPDATE");
            scene.ledger.stage(4 * JOBS_OF_A_BATCH, PAYLOAD);
            Eventually.until("the owner asks for its lane", () -> scene.ledger
                    .ask("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'staged-jobs%'"
                            + " AND query LIKE '%FOR NO KEY UPDATE' AND wait_event_type = 'Lock'")
                    .equals("1"));
            lockTable.execute("LOCK TABLE staged_jobs");
            ofLanes.rollback();
            Eventually.until(
                    "the owner asks for the next batch",
                    () -> scene.ledger.ask("SELECT count(*)" + OF_THE_FETCH).equals("1"));
            owner.process.suspend();
            ofTable.commit();
        }
        Eventually.until("PostgreSQL waits for the stopped owner to read", () -> scene.ledger
                .ask("SELECT count(*)" + OF_THE_FETCH + " AND wait_event = 'ClientWrite'")
                .equals("1"));
    }
}
