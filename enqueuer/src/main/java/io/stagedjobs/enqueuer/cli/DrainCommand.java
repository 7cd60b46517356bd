package io.stagedjobs.enqueuer.cli;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.OutsideException;
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
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
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
    private static final Duration LOOK_AROUND_AFTER = Duration.ofSeconds(2);

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
            Map<String, String> refused = new TreeMap<>();
            boolean drained = await(reader, lastId, patience, wiring, refused);
            List<StatusReader.Topic> left = reader.waitingByTopic(lastId);
            long remaining =
                    left.stream().mapToLong(StatusReader.Topic::backlog).sum();
            spec.commandLine().getOut().println("published " + jobs(Math.max(0, before - remaining)));
            if (remaining == 0) {
                return 0;
            }
            String otherwise = "nothing was published for " + patience.toSeconds()
                    + " s; another enqueuer may own their lanes, see `staged-jobs status`";
            explain(left, refused, otherwise, drained ? Map.of() : health.problems());
            return 1;
        }
    }

    /**
     * Waits until nothing is left but jobs of topics that refuse; false if nothing moved for too long. While nothing moves
     * here, another enqueuer may be at work, or may hold a topic that this process never tried: both are looked at.
     */
    private static boolean await(
            StatusReader reader, long lastId, Duration patience, Wiring wiring, Map<String, String> refused)
            throws InterruptedException {
        double published = -1;
        List<StatusReader.Topic> waiting = List.of();
        long movedAt = System.nanoTime();
        long lookedAt = movedAt;
        while (reader.anyWaiting(lastId, refused.keySet())) {
            refused.putAll(wiring.enqueuer().topicsHeld());
            long now = System.nanoTime();
            if (wiring.enqueuer().published() != published) {
                published = wiring.enqueuer().published();
                movedAt = now;
                lookedAt = now;
            } else if (now - lookedAt > LOOK_AROUND_AFTER.toNanos()) {
                List<StatusReader.Topic> left = reader.waitingByTopic(lastId);
                refused.putAll(refused(left, wiring));
                movedAt = left.equals(waiting) ? movedAt : now;
                waiting = left;
                lookedAt = now;
            }
            if (now - movedAt > patience.toNanos()) {
                return false;
            }
            TimeUnit.MILLISECONDS.sleep(LOOK_EVERY_MILLIS);
        }
        return true;
    }

    private static Map<String, String> refused(List<StatusReader.Topic> waiting, Wiring wiring) {
        Set<String> names = waiting.stream().map(StatusReader.Topic::topic).collect(Collectors.toSet());
        Map<String, String> reasons = new TreeMap<>();
        try {
            wiring.publisher().refused(names).forEach((topic, refusal) -> reasons.put(topic, refusal.reason()));
        } catch (OutsideException away) {
            return Map.of(); // the lanes find out too, and health tells
        }
        return reasons;
    }

    private void explain(
            List<StatusReader.Topic> left, Map<String, String> refused, String otherwise, Map<?, String> problems) {
        PrintWriter err = spec.commandLine().getErr();
        for (StatusReader.Topic topic : left) {
            err.println("drain: " + jobs(topic.backlog()) + " of topic " + topic.topic() + " left staged: "
                    + refused.getOrDefault(topic.topic(), otherwise));
        }
        problems.values().forEach(problem -> err.println("drain: " + problem));
        err.println("drain: nothing is lost. Put right what is named above and drain again.");
    }

    private static String jobs(long count) {
        return count + (count == 1 ? " job" : " jobs");
    }

    private Duration patience() {
        try {
            return Setting.parseDuration(giveUpAfter);
        } catch (IllegalArgumentException e) {
            throw new SettingsException(List.of("--give-up-after is wrong: " + e.getMessage()));
        }
    }
}
