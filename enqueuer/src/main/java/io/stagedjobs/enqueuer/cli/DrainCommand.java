package io.stagedjobs.enqueuer.cli;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Publishes what was committed before it started, then ends. Works beside running daemons, sharing the lanes. */
@Command(
        name = "drain",
        description = "Publishes everything committed before it started, prints how many jobs that were, and ends.",
        mixinStandardHelpOptions = true)
final class DrainCommand implements Callable<Integer> {

    private static final long LOOK_EVERY_MILLIS = 50;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(
            names = "--give-up-after",
            paramLabel = "DURATION",
            defaultValue = "60s",
            description = "ends with 1 if for so long nothing was published (60s unless set)")
    private String giveUpAfter = "60s";

    @Override
    public Integer call() throws SQLException, InterruptedException {
        Settings settings = Cli.settings(spec);
        Duration patience = patience();
        Health health = new Health();
        try (Wiring wiring = new Wiring(settings, health, new SimpleMeterRegistry());
                Connection connection = Wiring.database(settings).connect()) {
            StatusReader reader = new StatusReader(connection, Wiring.schema(settings));
            long before = reader.waiting();
            long lastId = reader.lastId();
            wiring.enqueuer().start();
            boolean drained = await(reader, lastId, patience, wiring);
            List<StatusReader.Topic> left = reader.waitingByTopic(lastId);
            long remaining =
                    left.stream().mapToLong(StatusReader.Topic::backlog).sum();
            spec.commandLine().getOut().println("published " + Math.max(0, before - remaining) + " jobs");
            if (remaining == 0) {
                return 0;
            }
            explain(left, wiring.enqueuer().topicsHeld(), drained ? Map.of() : health.problems(), patience);
            return 1;
        }
    }

    /** Waits until nothing is left but jobs of held topics; false if nothing moved for too long. */
    private static boolean await(StatusReader reader, long lastId, Duration patience, Wiring wiring)
            throws InterruptedException {
        double moved = -1;
        long movedAt = System.nanoTime();
        while (reader.anyWaiting(lastId, wiring.enqueuer().topicsHeld().keySet())) {
            double published = wiring.enqueuer().published();
            if (published != moved) {
                moved = published;
                movedAt = System.nanoTime();
            } else if (System.nanoTime() - movedAt > patience.toNanos()) {
                return false;
            }
            TimeUnit.MILLISECONDS.sleep(LOOK_EVERY_MILLIS);
        }
        return true;
    }

    private void explain(
            List<StatusReader.Topic> left, Map<String, String> held, Map<?, String> problems, Duration patience) {
        PrintWriter err = spec.commandLine().getErr();
        for (StatusReader.Topic topic : left) {
            err.println("drain: " + topic.backlog() + " jobs of topic " + topic.topic() + " stay staged: "
                    + held.getOrDefault(
                            topic.topic(),
                            "nothing was published for " + patience.toSeconds()
                                    + " s; another enqueuer may own their lanes, see `staged-jobs status`"));
        }
        problems.values().forEach(problem -> err.println("drain: " + problem));
        err.println("drain: none of them is lost. Put right what is named above and drain again.");
    }

    private Duration patience() {
        try {
            return Setting.parseDuration(giveUpAfter);
        } catch (IllegalArgumentException e) {
            throw new SettingsException(List.of("--give-up-after is wrong: " + e.getMessage()));
        }
    }
}
