package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.diagnosis.Work.Problem;
import io.stagedjobs.enqueuer.postgres.LaneList;
import io.stagedjobs.enqueuer.postgres.LaneList.LaneState;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Prints the lanes; reads only, and counts nothing. */
@Command(
        name = "lanes",
        description = "Shows each lane with its owner, its last settled batch, and what halted it.",
        footer = {"  staged-jobs lanes", "  staged-jobs lanes --json | jq '.[] | select(.halted)'"},
        mixinStandardHelpOptions = true)
final class LanesCommand extends DatabaseCommand {

    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @Option(names = "--json", description = Json.OPTION)
    private boolean json;

    @Override
    void run(Connection connection, Schema schema, Settings settings) {
        List<LaneState> lanes = new LaneList(connection, schema).read(settings.get(Setting.TAKEOVER_AFTER), PATIENCE);
        if (json) {
            printJson(lanes);
            return;
        }
        out().println(Line.bold(
                String.format("%-5s %-32s %10s %10s %12s", "lane", "owner", "generation", "batch", "settled")));
        lanes.forEach(this::print);
    }

    private void print(LaneState lane) {
        Problem halted = lane.halted();
        Double settled = lane.settledSecondsAgo();
        out().println(new Line(
                halted == null ? Style.PLAIN : Style.BAD,
                String.format(
                        Locale.ROOT,
                        "%-5d %-32s %10d %10s %12s",
                        lane.lane(),
                        lane.owner() == null ? "(free)" : Cli.printable(lane.owner()),
                        lane.generation(),
                        lane.batch() == null ? "-" : lane.batch(),
                        settled == null ? "-" : Figures.seconds(settled) + " ago")));
        if (halted != null) {
            out().println(Line.bad(String.format(
                    Locale.ROOT,
                    "      halted for %.0f s: %s",
                    halted.lastingSeconds(),
                    Cli.printable(halted.reason()))));
        }
    }
}
