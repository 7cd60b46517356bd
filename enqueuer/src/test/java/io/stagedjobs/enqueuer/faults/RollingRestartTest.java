package io.stagedjobs.enqueuer.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.cli.Command;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A release is rolled out: one enqueuer after the other is ended and started again, while jobs come. */
@Tag("long")
class RollingRestartTest {

    /** What is promised is 15 s; the machine of the tests may be busy. */
    private static final Duration END_MAX = Duration.ofSeconds(20);

    @Test
    void three_enqueuers_restarted_one_after_the_other_under_load_lose_and_repeat_nothing() throws Exception {
        try (Scene scene = new Scene(Map.of())) {
            List<Command.Daemon> daemons = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                daemons.add(scene.daemon("old-" + i));
            }
            try (Ledger.Load load = scene.ledger.load(3)) {
                for (int i = 0; i < 3; i++) {
                    load.await(50);
                    long began = System.nanoTime();
                    daemons.get(i).process.terminate();
                    assertThat(daemons.get(i).process.awaitExit(END_MAX)).isZero();
                    System.out.printf("rolling restart: ended in %d ms%n", (System.nanoTime() - began) / 1_000_000);
                    daemons.set(i, scene.daemon("new-" + i));
                }
                load.await(50);
            }
            scene.ledger.checkDrained();
            for (Command.Daemon daemon : daemons) {
                Scene.awaitReady(daemon);
            }
        }
    }
}
