package io.stagedjobs.enqueuer.cli;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.OutsideException;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import io.stagedjobs.enqueuer.wiring.Wiring;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
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
            if (reader.everythingPaused()) {
                throw new CommandFailedException(
                        "everything is paused, so that nothing would be published, and nothing was. End that with"
                                + " `staged-jobs resume` and drain again.",
                        null);
            }
            long before = reader.count();
            long lastId = reader.lastId();
            wiring.start();
            boolean drained = await(reader, lastId, patience, wiring);
            List<StatusReader.Topic> staged = reader.waitingByTopic(lastId);
            List<StatusReader.Aside> aside = reader.aside(lastId);
            long left = staged.stream().mapToLong(StatusReader.Topic::backlog).sum()
                    + aside.stream().mapToLong(StatusReader.Aside::jobs).sum();
            spec.commandLine().getOut().println("published " + Cli.jobs(Math.max(0, before - left)));
            if (left == 0) {
                return 0;
            }
            explain(staged, aside, patience, drained ? Map.of() : health.problems());
            return 1;
        }
    }

    /**
     * Waits until nothing is left but jobs that were moved aside and stay there; false if nothing moved for too long. While
     * nothing moves here, another enqueuer may be at work: that is looked at too.
     */
    private static boolean await(StatusReader reader, long lastId, Duration patience, Wiring wiring)
            throws InterruptedException {
        double published = -1;
        List<?> left = List.of();
        long movedAt = System.nanoTime();
        long lookedAt = movedAt;
        while (reader.anyWaiting(lastId) || anyReturns(reader, lastId, wiring)) {
            long now = System.nanoTime();
            if (wiring.enqueuer().published() != published) {
                published = wiring.enqueuer().published();
                movedAt = now;
                lookedAt = now;
            } else if (now - lookedAt > LOOK_AROUND_AFTER.toNanos()) {
                List<?> leftNow = List.of(reader.waitingByTopic(lastId), reader.aside(lastId));
                movedAt = leftNow.equals(left) ? movedAt : now;
                left = leftNow;
                lookedAt = now;
            }
            if (now - movedAt > patience.toNanos()) {
                return false;
            }
            TimeUnit.MILLISECONDS.sleep(LOOK_EVERY_MILLIS);
        }
        return true;
    }

    /** Whether some topic of held jobs takes jobs now, so that they are about to return. */
    private static boolean anyReturns(StatusReader reader, long lastId, Wiring wiring) {
        Set<String> held = reader.aside(lastId).stream()
                .filter(StatusReader.Aside::held)
                .map(StatusReader.Aside::topic)
                .collect(Collectors.toSet());
        held.removeAll(reader.pauses());
        try {
            return !held.isEmpty() && !wiring.publisher().refused(held).keySet().containsAll(held);
        } catch (OutsideException away) {
            return true; // the lanes find out too, and health tells
        }
    }

    private void explain(
            List<StatusReader.Topic> staged,
            List<StatusReader.Aside> aside,
            Duration patience,
            Map<?, String> problems) {
        PrintWriter err = spec.commandLine().getErr();
        for (StatusReader.Topic topic : staged) {
            err.println("drain: " + Cli.jobs(topic.backlog()) + " of topic " + topic.topic()
                    + " left staged: nothing was published for " + patience.toSeconds()
                    + " s; another enqueuer may own their lanes, see `staged-jobs status`");
        }
        for (StatusReader.Aside group : aside) {
            err.println("drain: " + Cli.jobs(group.jobs()) + " of topic " + group.topic() + " "
                    + (group.held() ? "held" : "parked, see `staged-jobs parked list`") + ": " + group.reason()
                    + (group.error().isEmpty() ? "" : ": " + group.error()));
        }
        problems.values().forEach(problem -> err.println("drain: " + problem));
        err.println("drain: nothing is lost. Put right what is named above and drain again.");
    }

    private Duration patience() {
        try {
            return Setting.parseDuration(giveUpAfter);
        } catch (IllegalArgumentException e) {
            throw new SettingsException(List.of("--give-up-after is wrong: " + e.getMessage()));
        }
    }
}
