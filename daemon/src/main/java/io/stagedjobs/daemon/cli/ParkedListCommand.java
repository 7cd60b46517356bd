package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.postgres.ParkedJobs;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Entry;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Selection;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.io.PrintWriter;
import java.sql.Connection;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Lists what was moved aside. */
@Command(name = "list", description = "Lists jobs that were moved aside.", mixinStandardHelpOptions = true)
final class ParkedListCommand extends DatabaseCommand {

    @Mixin
    private final JobSelection chosen = new JobSelection();

    @Option(names = "--state", paramLabel = "STATE", description = "held or parked; both unless set")
    private @Nullable String state;

    @Option(
            names = "--limit",
            paramLabel = "COUNT",
            defaultValue = "50",
            description = "how many to show (50 unless set)")
    private int limit = 50;

    @Option(names = "--json", description = "one JSON array instead of a table")
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
        PrintWriter out = out();
        out.printf("%-12s %-7s %-16s %10s  %s%n", "id", "state", "reason", "since", "topic, key, name");
        for (Entry job : jobs) {
            out.printf(
                    Locale.ROOT,
                    "%-12d %-7s %-16s %8.0f s  %s, %s, %s%n",
                    job.id(),
                    job.state(),
                    job.reason(),
                    job.parkedSecondsAgo(),
                    job.topic(),
                    job.key() == null ? "(no key)" : Cli.printable(job.key()),
                    Cli.printable(job.name()));
        }
        if (more > 0) {
            out.println("… and " + more + " more; --limit shows them");
        }
    }
}
