package io.stagedjobs.enqueuer.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.postgres.ParkedJobs;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Change;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Entry;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Selection;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import java.io.Console;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What was moved aside: look at it, requeue it, discard it. */
@Command(
        name = "parked",
        description = "Lists, shows, requeues and discards the jobs that were moved aside.",
        subcommands = {
            ParkedCommand.ListCommand.class,
            ParkedCommand.ShowCommand.class,
            ParkedCommand.RequeueCommand.class,
            ParkedCommand.DiscardCommand.class
        },
        mixinStandardHelpOptions = true,
        synopsisSubcommandLabel = "COMMAND")
final class ParkedCommand implements Runnable {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public void run() {
        throw new CommandLine.ParameterException(spec.commandLine(), "list, show, requeue or discard?");
    }

    /** Opens a connection, checks the schema and hands both to the command. */
    private abstract static class OnParkedJobs implements Callable<Integer> {

        @Spec
        @SuppressWarnings("NullAway.Init")
        CommandSpec spec;

        abstract int run(ParkedJobs parked, PrintWriter out) throws JsonProcessingException;

        @Override
        public Integer call() throws SQLException, JsonProcessingException {
            Settings settings = Cli.settings(spec);
            try (Connection connection = EnqueuerAssembly.connect(settings)) {
                return run(
                        new ParkedJobs(connection, EnqueuerAssembly.schema(settings)),
                        spec.commandLine().getOut());
            }
        }
    }

    private static @Nullable String checkedState(@Nullable String state) {
        if (state != null && !List.of("held", "parked").contains(state)) {
            throw new SettingsException(
                    List.of("--state is wrong: expected held or parked, got \"" + Cli.printable(state) + "\""));
        }
        return state;
    }

    /** Which topic and key. */
    private static final class Where {

        @Option(names = "--topic", paramLabel = "TOPIC", description = "only jobs of this topic")
        @Nullable
        String topic;

        @Option(names = "--key", paramLabel = "KEY", description = "only jobs of this key; needs --topic")
        @Nullable
        String key;

        Selection with(List<Long> ids, @Nullable String state) {
            if (key != null && topic == null) {
                throw new SettingsException(
                        List.of("--key needs --topic: a key belongs to one topic. Nothing was changed."));
            }
            return new Selection(ids, state, topic, key);
        }

        boolean isEmpty() {
            return topic == null && key == null;
        }
    }

    @Command(name = "list", description = "Lists jobs that were moved aside.", mixinStandardHelpOptions = true)
    static final class ListCommand extends OnParkedJobs {

        @Mixin
        private final Where where = new Where();

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
        int run(ParkedJobs parked, PrintWriter out) throws JsonProcessingException {
            if (limit < 1) {
                throw new SettingsException(List.of("--limit is wrong: expected at least 1, got " + limit));
            }
            Selection selection = where.with(List.of(), checkedState(state));
            List<Entry> jobs = parked.list(selection, limit);
            if (json) {
                out.println(new JsonMapper().writeValueAsString(jobs));
                return 0;
            }
            if (jobs.isEmpty()) {
                out.println("nothing is moved aside");
                return 0;
            }
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
            long all = parked.count(selection);
            if (all > jobs.size()) {
                out.println("… and " + (all - jobs.size()) + " more; --limit shows them");
            }
            return 0;
        }
    }

    @Command(
            name = "show",
            description = "Shows one job that was moved aside; its payload only if asked for.",
            mixinStandardHelpOptions = true)
    static final class ShowCommand extends OnParkedJobs {

        @Parameters(paramLabel = "ID", description = "the job's id, as `parked list` shows it")
        private long id;

        @Option(names = "--payload", description = "prints the payload too, as text, or in hexadecimal if it is none")
        private boolean payload;

        @Override
        int run(ParkedJobs parked, PrintWriter out) {
            List<Entry> found = parked.list(new Selection(List.of(id), null, null, null), 1);
            if (found.isEmpty()) {
                throw new CommandFailedException(
                        "no job with id " + id + " is moved aside. `staged-jobs parked list` shows those that are.",
                        null);
            }
            Entry job = found.get(0);
            line(out, "id", String.valueOf(job.id()));
            line(out, "job id", job.jobId());
            line(out, "state", job.state());
            line(out, "reason", job.reason());
            line(out, "error", job.error());
            line(out, "topic", job.topic());
            line(out, "key", job.key());
            line(out, "name", job.name());
            line(out, "headers", job.headers());
            line(out, "staged at", job.stagedAt());
            line(out, "moved at", job.parkedAt());
            line(out, "payload", job.payloadBytes() == null ? "none (a tombstone)" : job.payloadBytes() + " bytes");
            if (payload) {
                parked.payload(id).ifPresent(bytes -> out.println(text(bytes)));
            }
            return 0;
        }

        private static void line(PrintWriter out, String name, @Nullable String value) {
            if (value != null) {
                out.printf("%-10s %s%n", name, Cli.printable(value));
            }
        }

        private static String text(byte[] bytes) {
            try {
                return Cli.printable(
                        UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
            } catch (CharacterCodingException e) {
                return HexFormat.of().formatHex(bytes);
            }
        }
    }

    /** A change of many jobs: tells what it would do, and does it when a person says yes. */
    private abstract static class ChangeCommand extends OnParkedJobs {

        @Parameters(paramLabel = "ID", arity = "0..*", description = "ids of jobs, as `parked list` shows them")
        private List<Long> ids = List.of();

        @Mixin
        private final Where where = new Where();

        @Option(names = "--all", description = "everything")
        private boolean all;

        @Option(names = "--dry-run", description = "only tells what would happen")
        private boolean dryRun;

        @Option(names = "--yes", description = "does it without asking")
        private boolean yes;

        abstract @Nullable String state();

        abstract Change planned(ParkedJobs parked, Selection selection);

        abstract Change change(ParkedJobs parked, Selection selection);

        abstract String words(Change change);

        @Override
        int run(ParkedJobs parked, PrintWriter out) {
            if (all != (ids.isEmpty() && where.isEmpty())) {
                throw new SettingsException(List.of("which jobs? Give ids, --topic, --topic with --key, or --all alone."
                        + " Nothing was changed."));
            }
            Selection selection = where.with(ids, state());
            if (yes && dryRun) {
                throw new SettingsException(List.of("--dry-run and --yes exclude each other. Nothing was changed."));
            }
            if (!yes) {
                Change planned = planned(parked, selection);
                out.println("would have " + words(planned));
                if (dryRun || planned.requeued() + planned.discarded() == 0) {
                    return dryRun ? 0 : nothing(selection);
                }
                if (!confirmed()) {
                    throw new CommandFailedException(
                            "not confirmed. Nothing was changed. Repeat it with --yes to do it.", null);
                }
            }
            Change done = change(parked, selection);
            out.println(words(done));
            return done.requeued() + done.discarded() == 0 ? nothing(selection) : 0;
        }

        private int nothing(Selection selection) {
            throw new CommandFailedException(
                    "nothing to do: no such job can be moved"
                            + (selection.ids().isEmpty() ? "" : " (ids " + selection.ids() + ")")
                            + ". `staged-jobs parked list` shows what is moved aside.",
                    null);
        }

        @SuppressWarnings(
                "SystemConsoleNull") // from JDK 22 on it is there without a terminal too, and reads null at the end
        private static boolean confirmed() {
            Console console = System.console();
            return console != null && "yes".equals(console.readLine("Type yes to do it: "));
        }
    }

    @Command(
            name = "requeue",
            description = "Stages parked jobs again, in their old places, with what only followed them.",
            mixinStandardHelpOptions = true)
    static final class RequeueCommand extends ChangeCommand {

        @Override
        String state() {
            return "parked"; // held ones return by themselves
        }

        @Override
        Change planned(ParkedJobs parked, Selection selection) {
            return parked.wouldRequeue(selection);
        }

        @Override
        Change change(ParkedJobs parked, Selection selection) {
            return parked.requeue(selection);
        }

        @Override
        String words(Change change) {
            return "requeued " + StatusReader.jobs(change.requeued()) + ", " + change.followed()
                    + " of them only followed another"
                    + (change.kept() == 0
                            ? ""
                            : "; " + StatusReader.jobs(change.kept())
                                    + " kept: an earlier job of the same key is parked and was not" + " chosen");
        }
    }

    @Command(
            name = "discard",
            description = "Deletes jobs that were moved aside, for good. What only followed them is staged again.",
            mixinStandardHelpOptions = true)
    static final class DiscardCommand extends ChangeCommand {

        @Option(names = "--state", paramLabel = "STATE", description = "only held or only parked jobs")
        private @Nullable String state;

        @Override
        @Nullable
        String state() {
            return checkedState(state);
        }

        @Override
        Change planned(ParkedJobs parked, Selection selection) {
            return parked.wouldDiscard(selection);
        }

        @Override
        Change change(ParkedJobs parked, Selection selection) {
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
