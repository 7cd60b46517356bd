package io.stagedjobs.enqueuer.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.postgres.StatusReader.Instance;
import io.stagedjobs.enqueuer.postgres.StatusReader.Status;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.wiring.Wiring;
import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Prints what waits and who works; reads only. */
@Command(
        name = "status",
        description = "Shows backlog, oldest age, lanes, their owners and the running enqueuers.",
        mixinStandardHelpOptions = true)
final class StatusCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(names = "--json", description = "one JSON object instead of a table")
    private boolean json;

    @Override
    public Integer call() throws SQLException, JsonProcessingException {
        Settings settings = Cli.settings(spec);
        Status status = read(settings);
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(new JsonMapper().writeValueAsString(status));
        } else {
            print(status, out);
        }
        return 0;
    }

    /** Reads on a connection of its own. */
    static Status read(Settings settings) {
        try (Connection connection = Wiring.connect(settings)) {
            return new StatusReader(connection, Wiring.schema(settings)).read(settings.get(Setting.TAKEOVER_AFTER));
        } catch (SQLException e) {
            throw new IllegalStateException("could not close the connection", e);
        }
    }

    private static void print(Status status, PrintWriter out) {
        out.printf(
                Locale.ROOT,
                "schema version %d, %s waiting, the oldest for %.1f s%n",
                status.schemaVersion(),
                StatusReader.jobs(status.backlog()),
                status.oldestAgeSeconds());
        status.topics().forEach(topic -> out.printf("  %,10d  %s%n", topic.backlog(), topic.topic()));
        status.aside()
                .forEach(group -> out.printf(
                        Locale.ROOT,
                        "  %,10d  %s %s: %s%n",
                        group.jobs(),
                        group.topic(),
                        group.state(),
                        group.reason()));
        if (!status.paused().isEmpty()) {
            out.println("paused: " + String.join(", ", status.paused()).replace("*", "everything"));
        }
        out.printf("%n%-5s %-32s %10s %10s %10s%n", "lane", "owner", "generation", "waiting", "oldest");
        status.lanes()
                .forEach(lane -> out.printf(
                        Locale.ROOT,
                        "%-5d %-32s %10d %10d %8.1f s%n",
                        lane.lane(),
                        lane.owner() == null ? "(free)" : lane.owner(),
                        lane.generation(),
                        lane.backlog(),
                        lane.oldestAgeSeconds()));
        out.printf("%n%-32s %-15s %10s %10s%n", "enqueuer", "delivery", "started", "seen");
        status.enqueuers()
                .forEach(instance -> out.printf(
                        Locale.ROOT,
                        "%-32s %-15s %8.0f s %8.1f s%s%n",
                        instance.name(),
                        instance.delivery(),
                        instance.startedSecondsAgo(),
                        instance.seenSecondsAgo(),
                        remark(instance)));
        if (status.enqueuers().isEmpty()) {
            out.println("no enqueuer runs; start one with `staged-jobs run`");
        }
    }

    private static String remark(Instance instance) {
        if (!instance.alive()) {
            return "  (gone without leaving)";
        }
        return instance.lanes() == 0 ? "  (stands by)" : "";
    }
}
