package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.postgres.Status;
import io.stagedjobs.enqueuer.postgres.Status.Instance;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.io.PrintWriter;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Prints what waits and who works; reads only. */
@Command(
        name = "status",
        description = "Shows backlog, oldest age, lanes, their owners and the running enqueuers.",
        mixinStandardHelpOptions = true)
final class StatusCommand extends DatabaseCommand {

    private static final int LINES_MAX = 20;

    /** Hundreds of millions of jobs can be counted meanwhile. */
    private static final Duration PATIENCE_OF_A_PERSON = Duration.ofMinutes(5);

    /** No count takes longer than half of that, but a lock may. */
    private static final Duration PATIENCE_OF_A_LOOK = Duration.ofSeconds(10);

    /** PostgreSQL ends the statement first. */
    private static final Duration SILENCE_MORE = Duration.ofSeconds(10);

    @Option(names = "--json", description = "one JSON object instead of a table")
    private boolean json;

    @Option(
            names = "--exact",
            description = "counts all jobs, however many there are, which may take minutes; else large numbers are"
                    + " estimates")
    private boolean exact;

    @Override
    Connection connect(Settings settings) {
        return EnqueuerAssembly.connect(settings, PATIENCE_OF_A_PERSON.plus(SILENCE_MORE));
    }

    @Override
    void run(Connection connection, Schema schema, Settings settings) {
        StatusReader reader = new StatusReader(connection, schema);
        Duration takeoverAfter = settings.get(Setting.TAKEOVER_AFTER);
        Status status = exact
                ? reader.readExactly(takeoverAfter, PATIENCE_OF_A_PERSON)
                : reader.read(takeoverAfter, PATIENCE_OF_A_LOOK);
        if (json) {
            printJson(status);
        } else {
            print(status, out());
        }
    }

    private static void print(Status status, PrintWriter out) {
        out.printf(
                Locale.ROOT,
                "schema version %d, %s%s waiting, the oldest for %.1f s%n",
                status.schemaVersion(),
                status.exact() ? "" : "about ",
                StatusReader.jobs(status.backlog()),
                status.oldestAgeSeconds());
        first(
                status.topics(),
                out,
                "topics with waiting jobs",
                topic -> out.printf("  %,10d  %s%n", topic.backlog(), Cli.printable(topic.topic())));
        first(
                status.aside(),
                out,
                "groups of jobs that were moved aside",
                group -> out.printf(
                        Locale.ROOT,
                        "  %,10d  %s %s: %s%n",
                        group.jobs(),
                        Cli.printable(group.topic()),
                        group.state(),
                        group.reason()));
        if (!status.paused().isEmpty()) {
            out.println("paused: "
                    + Cli.printable(String.join(", ", status.paused())).replace("*", "everything"));
        }
        out.printf("%n%-5s %-32s %10s %10s %10s%n", "lane", "owner", "generation", "waiting", "oldest");
        status.lanes()
                .forEach(lane -> out.printf(
                        Locale.ROOT,
                        "%-5d %-32s %10d %10d %8.1f s%n",
                        lane.lane(),
                        lane.owner() == null ? "(free)" : Cli.printable(lane.owner()),
                        lane.generation(),
                        lane.backlog(),
                        lane.oldestAgeSeconds()));
        out.printf("%n%-32s %-15s %10s %10s%n", "enqueuer", "delivery", "started", "seen");
        status.enqueuers()
                .forEach(instance -> out.printf(
                        Locale.ROOT,
                        "%-32s %-15s %8.0f s %8.1f s%s%n",
                        Cli.printable(instance.name()),
                        instance.delivery(),
                        instance.startedSecondsAgo(),
                        instance.seenSecondsAgo(),
                        remark(instance)));
        if (status.enqueuers().isEmpty()) {
            out.println("no enqueuer runs; start one with `staged-jobs run`");
        }
        List<String> problems =
                status.enqueuers().stream().flatMap(StatusCommand::problems).toList();
        if (!problems.isEmpty()) {
            out.println();
            first(problems, out, "problems", out::println);
        }
    }

    /** Each in a line; of an enqueuer that is gone they are what it met last. */
    private static Stream<String> problems(Instance enqueuer) {
        return enqueuer.problems().stream()
                .map(problem -> String.format(
                        Locale.ROOT,
                        "%s%s, for %.0f s: %s: %s",
                        Cli.printable(enqueuer.name()),
                        enqueuer.alive() ? "" : " (gone)",
                        problem.lastingSeconds(),
                        problem.place().startsWith("lane ") ? problem.place() + " is halted" : problem.place(),
                        Cli.printable(problem.reason())));
    }

    /** The first lines, which are the largest; thousands would drive the lanes off the screen. */
    private static <T> void first(List<T> all, PrintWriter out, String what, Consumer<T> print) {
        all.stream().limit(LINES_MAX).forEach(print);
        if (all.size() > LINES_MAX) {
            out.printf("  … and %d more %s; `status --json` has them%n", all.size() - LINES_MAX, what);
        }
    }

    private static String remark(Instance instance) {
        if (!instance.alive()) {
            return "  (gone without leaving)";
        }
        return instance.lanes() == 0 ? "  (stands by)" : "";
    }
}
