package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestPostgres;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Real copies of a cluster's files: put back, and started beside the original. */
class RestoreTest {

    private static final Pattern HALTED = Pattern.compile("ERROR.*lane \\d is halted: Kafka holds batch");
    private static final int JOBS = 400;

    private Scene scene;

    @BeforeEach
    void open() throws Exception {
        scene = new Scene(Map.of());
    }

    @AfterEach
    void close() throws Exception {
        scene.close();
    }

    /** Some batches in every lane, and jobs that wait. */
    private Path copyAfterSomeBatches() throws Exception {
        Command.Daemon daemon = scene.daemon("before-the-copy");
        publishBatches(3);
        end(daemon);
        scene.ledger.stage(JOBS);
        scene.postgres.stop();
        Path copy = scene.postgres.copyData();
        scene.postgres.startAgain();
        return copy;
    }

    private static void end(Command.Daemon daemon) {
        daemon.process.terminate();
        assertThat(daemon.process.awaitExit(Duration.ofSeconds(30))).isZero();
    }

    private void publishBatches(int batches) throws Exception {
        for (int i = 0; i < batches; i++) {
            scene.ledger.stage(JOBS);
            Eventually.until("they are published", () -> scene.ledger.waiting() == 0);
        }
    }

    private static void awaitAllLanesHalted(Command.Daemon daemon) throws Exception {
        for (int lane = 0; lane < 8; lane++) {
            Scene.awaitProblem(daemon, "\"lane " + lane + "\":\"Kafka holds batch ");
        }
        daemon.process.awaitLine(HALTED, Duration.ofSeconds(10));
        assertThat(daemon.get("metrics").body()).contains("staged_jobs_lanes_halted 8.0");
    }

    @Test
    void a_backup_that_is_put_back_halts_the_lanes_and_nothing_is_published_twice() throws Exception {
        Path backup = copyAfterSomeBatches();
        Command.Daemon daemon = scene.daemon("enqueuer");
        publishBatches(3);
        scene.postgres.stop();
        scene.postgres.putBack(backup);
        scene.postgres.startAgain();
        assertThat(scene.ledger.waiting()).as("jobs that Kafka has already").isEqualTo(JOBS);
        awaitAllLanesHalted(daemon);
        scene.ledger.stage(JOBS);
        end(daemon);
        awaitAllLanesHalted(scene.daemon("started-after-the-restore"));
        assertThat(scene.ledger.waiting()).isEqualTo(2 * JOBS);
        assertThat(scene.outbox.namesIn(scene.topic)).hasSize(7 * JOBS).doesNotHaveDuplicates();
    }

    /** The backup knows the enqueuer that runs, as the owner of its lanes in their present generations. */
    @Test
    void a_backup_that_was_made_while_the_enqueuer_ran_halts_its_lanes_too() throws Exception {
        Command.Daemon daemon = scene.daemon("enqueuer");
        publishBatches(1);
        scene.postgres.stop();
        Path backup = scene.postgres.copyData();
        scene.postgres.startAgain();
        publishBatches(3);
        scene.postgres.stop();
        scene.postgres.putBack(backup);
        scene.postgres.startAgain();
        awaitAllLanesHalted(daemon);
        scene.ledger.stage(JOBS);
        end(daemon);
        assertThat(scene.ledger.waiting()).isEqualTo(JOBS);
        assertThat(scene.outbox.namesIn(scene.topic)).hasSize(4 * JOBS).doesNotHaveDuplicates();
    }

    @Test
    void a_clone_of_the_cluster_beside_the_original_is_halted_and_does_not_disturb_it() throws Exception {
        Path copy = copyAfterSomeBatches();
        Command.Daemon original = scene.daemon("of-the-original");
        publishBatches(3);
        Scene.awaitReady(original);
        TestPostgres clone = scene.keep(scene.postgres.startCopy(copy));
        try (Ledger.Load load = scene.ledger.load(2)) {
            load.await(20);
            scene.set(
                    "STAGED_JOBS_DATABASE_URL",
                    clone.database(scene.outbox.database.name()).url());
            Command.Daemon ofClone = scene.daemon("of-the-clone");
            awaitAllLanesHalted(ofClone);
            load.await(100);
            assertThat(original.isReady()).isTrue();
            ofClone.process.kill();
        }
        scene.ledger.checkDrained();
        assertThat(original.process.output())
                .as("the original's enqueuer has nothing to complain of")
                .noneMatch(line -> line.contains("WARN") || line.contains("ERROR"));
    }
}
