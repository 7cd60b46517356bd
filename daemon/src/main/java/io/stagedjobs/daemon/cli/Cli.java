package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.StagedJobsException;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.settings.NearestName;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jooq.exception.DataAccessException;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * The command line: finds the command, gives it its settings and turns its exceptions into a message and an exit code:
 * 0 done, 1 could not, 2 wrong usage.
 */
@Command(
        name = "staged-jobs",
        description = "Publishes the jobs that applications stage in PostgreSQL to Kafka.",
        footer = {
            "  staged-jobs help status       # explains one command",
            "  staged-jobs status --watch    # shows what waits and what moves",
            "  source <(staged-jobs generate-completion)   # completion in bash and zsh"
        },
        subcommands = {
            MigrateCommand.class,
            RunCommand.class,
            DrainCommand.class,
            StatusCommand.class,
            LanesCommand.class,
            DoctorCommand.class,
            ConfigCommand.class,
            ParkedCommand.class,
            PauseCommand.class,
            PauseCommand.Resume.class,
            CommandLine.HelpCommand.class,
            AutoComplete.GenerateCompletion.class
        },
        mixinStandardHelpOptions = true,
        versionProvider = Cli.Version.class,
        synopsisSubcommandLabel = "COMMAND")
public final class Cli implements Runnable {

    private static final int COULD_NOT = 1;
    private static final int WRONG_USAGE = 2;

    /** As -XX:+ExitOnOutOfMemoryError does. */
    private static final int VIRTUAL_MACHINE_FAILED = 3;

    private static final String INSUFFICIENT_PRIVILEGE = "42501";

    private static final String GRANTS = " To install the tables, let a superuser grant this role the rights on a"
            + " schema (GRANT USAGE, CREATE ON SCHEMA <schema> TO <role> WITH GRANT OPTION), or name a schema that the"
            + " role owns with STAGED_JOBS_DATABASE_SCHEMA. For other commands, see operations.md, \"Roles and"
            + " grants\".";

    private final Map<String, String> environment;
    private final Terminal terminal;

    @CommandLine.Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    private Cli(Map<String, String> environment, Terminal terminal) {
        this.environment = environment;
        this.terminal = terminal;
    }

    /** Runs one command and ends the process with its exit code. */
    public static void main(String[] args) {
        PrintWriter out = new PrintWriter(System.out, true, UTF_8);
        PrintWriter err = new PrintWriter(System.err, true, UTF_8);
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> endBecauseOf(error, thread, err));
        Terminal terminal = Terminal.of(System.getProperty(Terminal.PROPERTY, ""), System.getenv());
        System.exit(execute(List.of(args), System.getenv(), out, err, terminal));
    }

    /**
     * Ends the process if the virtual machine has failed a thread. A process without one of its threads would limp on;
     * another enqueuer serves its lanes better.
     */
    private static void endBecauseOf(Throwable error, Thread thread, PrintWriter err) {
        error.printStackTrace(err);
        if (error instanceof Error) {
            err.println("staged-jobs: thread " + thread.getName() + " failed, the process ends: " + error
                    + ". Its open transactions are rolled back, no job is lost. Start it again.");
            Runtime.getRuntime().halt(VIRTUAL_MACHINE_FAILED);
        }
    }

    /** Runs one command in this process, watched by nobody; returns its exit code. */
    static int execute(List<String> args, Map<String, String> environment, PrintWriter out, PrintWriter err) {
        return execute(args, environment, out, err, Terminal.NONE);
    }

    /** Runs one command in this process; returns its exit code. */
    static int execute(
            List<String> args, Map<String, String> environment, PrintWriter out, PrintWriter err, Terminal terminal) {
        return line(environment, out, err, terminal).execute(args.toArray(new String[0]));
    }

    /** All commands, complete with their options. */
    static CommandLine line(Map<String, String> environment, PrintWriter out, PrintWriter err, Terminal terminal) {
        CommandLine line = new CommandLine(new Cli(environment, terminal));
        line.setOut(new TerminalWriter(out, terminal.out(), terminal.colours()))
                .setErr(new TerminalWriter(err, terminal.err(), terminal.colours()));
        line.setAllowOptionsAsOptionParameters(true); // as getopt does: a topic or a key may be called --help
        line.setColorScheme(CommandLine.Help.defaultColorScheme(
                terminal.out() && terminal.colours() ? CommandLine.Help.Ansi.ON : CommandLine.Help.Ansi.OFF));
        complete(line);
        line.setExecutionStrategy(parsed -> {
            if (isHelp(parsed)) {
                line.setOut(out); // its text is all ours: its colours need not be escaped
            }
            return new CommandLine.RunLast().execute(parsed);
        });
        line.setExecutionExceptionHandler((e, command, result) -> {
            command.getErr().println(command.getCommandName() + ": " + message(e));
            return e instanceof SettingsException ? WRONG_USAGE : COULD_NOT;
        });
        line.setParameterExceptionHandler((e, given) -> {
            CommandLine command = e.getCommandLine();
            command.getErr()
                    .println(command.getCommandName() + ": " + printable(wrongUsage(e)) + ". Nothing was done. See `"
                            + command.getCommandSpec().qualifiedName() + " --help`.");
            return WRONG_USAGE;
        });
        return line;
    }

    /** What was wrong, without values: the value after a mistyped flag may be a secret. */
    private static String wrongUsage(CommandLine.ParameterException e) {
        if (e instanceof CommandLine.UnmatchedArgumentException unmatched) {
            String first = unmatched.getUnmatched().get(0);
            Map<String, CommandLine> commands = e.getCommandLine().getSubcommands();
            if (!commands.isEmpty() && !first.startsWith("-")) {
                return "unknown command \"" + first + "\". The nearest known one is "
                        + NearestName.of(first, commands.keySet());
            }
            if (!first.startsWith("--")) {
                return "an argument is not a flag, and belongs to no flag";
            }
            String flag = first.replaceFirst("(?s)=.*", "");
            Set<String> known = e.getCommandLine().getCommandSpec().optionsMap().keySet();
            return "unknown flag " + flag + ". The nearest known one is " + NearestName.of(flag, known);
        }
        return e.getArgSpec() != null
                        && e.getArgSpec().isOption()
                        && SettingOptions.isKafka((OptionSpec) e.getArgSpec())
                ? "--kafka is wrong: expected PROPERTY=VALUE, such as --kafka linger.ms=5"
                : String.valueOf(e.getMessage()).replaceFirst("\\.$", "");
    }

    @Override
    public void run() {
        throw new CommandLine.ParameterException(spec.commandLine(), "which command?");
    }

    /** The settings of a command: its flags, then the environment, then the file. */
    static Settings settings(CommandSpec command) {
        return SettingOptions.read(command.commandLine().getParseResult(), of(command).environment);
    }

    /** What the person watches who gave the command. */
    static Terminal terminal(CommandSpec command) {
        return of(command).terminal;
    }

    private static Cli of(CommandSpec command) {
        return (Cli) command.root().userObject();
    }

    /** Foreign text as one line that cannot control a terminal. */
    static String printable(String text) {
        return PrintableWriter.escaped(text);
    }

    private static boolean isHelp(ParseResult parsed) {
        return parsed.asCommandLineList().stream()
                .anyMatch(command -> command.isUsageHelpRequested()
                        || command.isVersionHelpRequested()
                        || command.getCommandSpec().helpCommand());
    }

    /** Adds what the commands have in common to each of them: the options of the settings, and the ends of its help. */
    private static void complete(CommandLine command) {
        CommandSpec spec = command.getCommandSpec();
        if (spec.helpCommand()) {
            return;
        }
        spec.usageMessage().sortOptions(false).abbreviateSynopsis(true);
        if (spec.usageMessage().footer().length > 0) {
            spec.usageMessage().footerHeading("%nExamples:%n");
        }
        if (spec.usageMessage().exitCodeList().isEmpty()) {
            spec.usageMessage().exitCodeList(exitCodes());
        }
        spec.usageMessage().exitCodeListHeading("%nExit codes:%n");
        if (command.getSubcommands().isEmpty()) {
            SettingOptions.addTo(spec);
        } else {
            command.getSubcommands().values().forEach(Cli::complete);
        }
    }

    private static Map<String, String> exitCodes() {
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "done");
        codes.put("1", "could not; standard error says why, what was kept and what to do");
        codes.put("2", "wrong usage or settings; nothing was started");
        return codes;
    }

    private static String message(Exception e) {
        if (e instanceof ExternalFailureException
                || e instanceof SettingsException
                || e instanceof StagedJobsException
                || e instanceof CommandFailedException) {
            String words = String.valueOf(e.getMessage());
            return e instanceof SettingsException ? words : printable(words); // each of its problems is a line
        }
        if (e instanceof DataAccessException database) {
            Throwable said = database.getCause() == null ? database : database.getCause();
            return printable("PostgreSQL refused: " + said.getMessage() + ". Nothing was changed."
                    + (INSUFFICIENT_PRIVILEGE.equals(database.sqlState()) ? GRANTS : ""));
        }
        return printable("unexpected failure: " + e + ". It loses no job.");
    }

    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Cli.class.getPackage().getImplementationVersion();
            return List.of("staged-jobs " + (version == null ? "(development)" : version))
                    .toArray(new String[0]);
        }
    }
}
