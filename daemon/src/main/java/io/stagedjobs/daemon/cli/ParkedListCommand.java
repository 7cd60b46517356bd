package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.postgres.ParkedJobs;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Entry;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Selection;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Lists what was moved aside. */
@Command(
        name = "list",
        description = "Lists the jobs that were moved aside, in the order of their ids.",
        footer = {
            "  staged-jobs parked list --topic orders --state parked",
            "  staged-jobs parked list --limit 1000 --json | jq '.[].id'"
        },
        mixinStandardHelpOptions = true)
final class ParkedListCommand extends DatabaseCommand {

    @Mixin
    private final JobSelection chosen = new JobSelection();

    @Option(names = "--state", paramLabel = "STATE", description = "held or parked; both unless set")
    private @Nullable String state;

    @Option(
            names = "--limit",
            paramLabel = "COUNT",
            defaultValue = "50",
            description = "the most jobs to show (50 unless set)")
    private int limit = 50;

    @Option(names = "--json", description = Json.OPTION)
    private boolean json;

    @Override
    void check() {
        chosen.check(this, state);
        if (limit < 1) {
            throw wrong("--limit is wrong: expected at least 1, got " + limit);
        }
    }

    @Override
    void run(Connection connection, Schema schema, Settings settings) {
        ParkedJobs parked = new ParkedJobs(connection, schema);
        Selection selection = chosen.with(List.of(), state);
        List<Entry> jobs = parked.list(selection, limit);
        if (json) {
            printJson(jobs);
        } else if (jobs.isEmpty()) {
            out().println("nothing is moved aside");
        } else {
            print(jobs, parked.count(selection) - jobs.size());
        }
    }

    private void print(List<Entry> jobs, long more) {
        TerminalWriter out = out();
        out.println(Line.bold(
                String.format("%-12s %-7s %-16s %10s  %s", "id", "state", "reason", "since", "topic, key, name")));
        for (Entry job : jobs) {
            out.println(new Line(
                    job.state().equals("parked") ? Style.BAD : Style.WARNING,
                    String.format(
                            Locale.ROOT,
                            "%-12d %-7s %-16s %8.0f s  %s, %s, %s",
                            job.id(),
                            Cli.printable(job.state()),
                            Cli.printable(job.reason()),
                            job.parkedSecondsAgo(),
                            Cli.printable(job.topic()),
                            job.key() == null ? "(no key)" : Cli.printable(job.key()),
                            Cli.printable(job.name()))));
        }
        if (more > 0) {
            out.println("… and " + more + " more; --limit shows them");
        }
    }
}
