package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.postgres.ParkedChanges;
import io.stagedjobs.enqueuer.postgres.ParkedChanges.Change;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Selection;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.io.Console;
import java.sql.Connection;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** A change of many jobs that were moved aside: tells what it would do, and does it when a person says yes. */
abstract class ParkedChangeCommand extends DatabaseCommand {

    @Parameters(paramLabel = "ID", arity = "0..*", description = "ids of jobs, as `parked list` shows them")
    private List<Long> ids = List.of();

    @Mixin
    private final JobSelection chosen = new JobSelection();

    @Option(names = "--all", description = "everything")
    private boolean all;

    @Option(names = "--dry-run", description = "only tells what would happen")
    private boolean dryRun;

    @Option(names = "--yes", description = "does it without asking")
    private boolean yes;

    abstract @Nullable String state();

    abstract Change planned(ParkedChanges parked, Selection selection);

    abstract Change change(ParkedChanges parked, Selection selection);

    abstract String words(Change change);

    @Override
    void check() {
        if (all != (ids.isEmpty() && chosen.isEmpty())) {
            throw wrong("which jobs? Give ids, --topic, --topic with --key, or --all alone");
        }
        if (yes && dryRun) {
            throw wrong("--dry-run and --yes exclude each other");
        }
        chosen.check(this, state());
    }

    @Override
    void run(Connection connection, Schema schema, Settings settings) {
        ParkedChanges parked = new ParkedChanges(connection, schema);
        Selection selection = chosen.with(ids, state());
        if (!yes) {
            Change planned = planned(parked, selection);
            out().println("would have " + words(planned));
            if (dryRun) {
                return;
            }
            requireAny(planned);
            if (!confirmed()) {
                throw new CommandFailedException(
                        "not confirmed. Nothing was changed. Repeat it with --yes to do it.", null);
            }
        }
        Change done = change(parked, selection);
        out().println(words(done));
        requireAny(done);
    }

    private void requireAny(Change change) {
        if (change.requeued() + change.discarded() == 0) {
            throw new CommandFailedException(
                    "nothing to do: no such job can be moved" + (ids.isEmpty() ? "" : " (ids " + ids + ")")
                            + ". `staged-jobs parked list` shows what is moved aside.",
                    null);
        }
    }

    @SuppressWarnings(
            "SystemConsoleNull") // from JDK 22 on it is there without a terminal too, and reads null at the end
    private static boolean confirmed() {
        Console console = System.console();
        return console != null && "yes".equals(console.readLine("Type yes to do it: "));
    }

    /** Stages parked jobs again. */
    @Command(
            name = "requeue",
            description = "Stages parked jobs again, in their old places, with what only followed them.",
            mixinStandardHelpOptions = true)
    static final class Requeue extends ParkedChangeCommand {

        @Override
        String state() {
            return "parked"; // held ones return by themselves
        }

        @Override
        Change planned(ParkedChanges parked, Selection selection) {
            return parked.wouldRequeue(selection);
        }

        @Override
        Change change(ParkedChanges parked, Selection selection) {
            return parked.requeue(selection);
        }

        @Override
        String words(Change change) {
            return "requeued " + StatusReader.jobs(change.requeued()) + ", " + change.followed()
                    + " of them only followed another"
                    + (change.kept() == 0
                            ? ""
                            : "; " + StatusReader.jobs(change.kept())
                                    + " kept: an earlier job of the same key is parked and was not chosen");
        }
    }

    /** Deletes jobs for good. */
    @Command(
            name = "discard",
            description = "Deletes jobs that were moved aside, for good. What only followed them is staged again.",
            mixinStandardHelpOptions = true)
    static final class Discard extends ParkedChangeCommand {

        @Option(names = "--state", paramLabel = "STATE", description = "only held or only parked jobs")
        private @Nullable String state;

        @Override
        @Nullable
        String state() {
            return state;
        }

        @Override
        Change planned(ParkedChanges parked, Selection selection) {
            return parked.wouldDiscard(selection);
        }

        @Override
        Change change(ParkedChanges parked, Selection selection) {
            return parked.discard(selection);
        }

        @Override
        String words(Change change) {
            return "discarded " + StatusReader.jobs(change.discarded())
                    + (change.held() == 0 ? "" : " (" + change.held() + " held)")
                    + (change.followed() == 0
                            ? ""
                            : ", requeued " + StatusReader.jobs(change.followed()) + " that only followed");
        }
    }
}
