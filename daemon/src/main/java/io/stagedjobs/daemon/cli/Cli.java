package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.StagedJobsException;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.settings.NearestName;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import java.io.PrintWriter;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jooq.exception.DataAccessException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * The command line: finds the command, gives it its settings and turns what it throws into a message and an exit code:
 * 0 done, 1 could not, 2 wrong usage.
 */
@Command(
        name = "staged-jobs",
        description = "Publishes the jobs that applications stage in PostgreSQL to Kafka.",
        subcommands = {
            MigrateCommand.class,
            RunCommand.class,
            DrainCommand.class,
            StatusCommand.class,
            DoctorCommand.class,
            ParkedCommand.class,
            PauseCommand.class,
            PauseCommand.Resume.class,
            CommandLine.HelpCommand.class
        },
        mixinStandardHelpOptions = true,
        versionProvider = Cli.Version.class,
        synopsisSubcommandLabel = "COMMAND")
public final class Cli implements Runnable {

    private static final int COULD_NOT = 1;
    private static final int WRONG_USAGE = 2;

    /** As -XX:+ExitOnOutOfMemoryError does. */
    private static final int VIRTUAL_MACHINE_FAILED = 3;

    private final Map<String, String> environment;

    @CommandLine.Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    private Cli(Map<String, String> environment) {
        this.environment = environment;
    }

    /** Runs one command and ends the process with its exit code. */
    public static void main(String[] args) {
        PrintWriter out = new PrintWriter(System.out, true, UTF_8);
        PrintWriter err = new PrintWriter(System.err, true, UTF_8);
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> endBecauseOf(error, thread, err));
        System.exit(execute(List.of(args), System.getenv(), out, err));
    }

    /**
     * Ends the process, where it is the virtual machine that has failed a thread. What lacks a thread would limp on;
     * its lanes are better off with another enqueuer.
     */
    private static void endBecauseOf(Throwable error, Thread thread, PrintWriter err) {
        error.printStackTrace(err);
        if (error instanceof Error) {
            err.println("staged-jobs: thread " + thread.getName() + " failed, the process ends: " + error
                    + ". What it had in hand is rolled back, no job is lost. Start it again.");
            Runtime.getRuntime().halt(VIRTUAL_MACHINE_FAILED);
        }
    }

    /** Runs one command in this process; returns its exit code. */
    static int execute(List<String> args, Map<String, String> environment, PrintWriter out, PrintWriter err) {
        CommandLine line = new CommandLine(new Cli(environment));
        line.setOut(PrintableWriter.over(out)).setErr(PrintableWriter.over(err));
        line.setAllowOptionsAsOptionParameters(true); // as getopt does: a topic or a key may be called --help
        line.setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF));
        line.getSubcommands().values().forEach(Cli::addSettings);
        line.setExecutionExceptionHandler((e, command, result) -> {
            command.getErr().println(command.getCommandName() + ": " + message(e));
            return e instanceof SettingsException ? WRONG_USAGE : COULD_NOT;
        });
        line.setParameterExceptionHandler((e, given) -> {
            CommandLine command = e.getCommandLine();
            command.getErr()
                    .println(command.getCommandName() + ": " + wrongUsage(e) + ". Nothing was done. See `"
                            + command.getCommandSpec().qualifiedName() + " --help`.");
            return WRONG_USAGE;
        });
        return line.execute(args.toArray(new String[0]));
    }

    /** What was wrong, without values: one behind a mistyped flag may be a secret. */
    private static String wrongUsage(CommandLine.ParameterException e) {
        if (e instanceof CommandLine.UnmatchedArgumentException unmatched) {
            String first = unmatched.getUnmatched().get(0);
            Map<String, CommandLine> commands = e.getCommandLine().getSubcommands();
            if (!commands.isEmpty() && !first.startsWith("-")) {
                return "unknown command \"" + first + "\". The nearest known one is "
                        + NearestName.of(first, commands.keySet());
            }
            if (!first.startsWith("--")) {
                return "an argument is no flag and belongs to none";
            }
            String flag = first.replaceFirst("(?s)=.*", "");
            Set<String> known = e.getCommandLine().getCommandSpec().optionsMap().keySet();
            return "unknown flag " + flag + ". The nearest known one is " + NearestName.of(flag, known);
        }
        return e.getArgSpec() != null && e.getArgSpec().isOption() && isKafka((OptionSpec) e.getArgSpec())
                ? "--kafka is wrong: expected PROPERTY=VALUE, such as --kafka linger.ms=5"
                : String.valueOf(e.getMessage()).replaceFirst("\\.$", "");
    }

    private static boolean isKafka(OptionSpec option) {
        return option.longestName().equals("--kafka");
    }

    @Override
    public void run() {
        throw new CommandLine.ParameterException(spec.commandLine(), "which command?");
    }

    /** Settings of a command: its flags, then the environment, then the file. */
    static Settings settings(CommandSpec command) {
        Map<String, String> flags = new HashMap<>();
        ParseResult parsed = command.commandLine().getParseResult();
        Setting.ALL.forEach(setting -> take(parsed, setting.flag(), setting.key(), flags));
        take(parsed, "--config-file", "config.file", flags);
        Cli cli = (Cli) command.root().userObject();
        return EnqueuerAssembly.settings(flags, parsed.matchedOptionValue("--kafka", Map.of()), cli.environment);
    }

    /** Text from elsewhere as one line that cannot play tricks with a terminal. */
    static String printable(String text) {
        return text.codePoints().mapToObj(PrintableWriter::printable).collect(Collectors.joining());
    }

    private static void take(ParseResult parsed, String flag, String key, Map<String, String> flags) {
        String value = parsed.matchedOptionValue(flag, (String) null);
        if (value != null) {
            flags.put(key, value);
        }
    }

    private static void addSettings(CommandLine command) {
        if (command.getCommand() instanceof CommandLine.HelpCommand) {
            return;
        }
        if (!command.getSubcommands().isEmpty()) {
            command.getSubcommands().values().forEach(Cli::addSettings);
            return;
        }
        CommandSpec spec = command.getCommandSpec();
        spec.usageMessage().sortOptions(false);
        spec.addOption(OptionSpec.builder("--config-file")
                .type(String.class)
                .paramLabel("FILE")
                .description("properties file with settings; flags and environment are stronger")
                .build());
        for (Setting<?> setting : Setting.ALL) {
            String byDefault = setting.defaultText() == null ? "" : "; " + setting.defaultText() + " unless set";
            spec.addOption(OptionSpec.builder(setting.flag())
                    .type(String.class)
                    .paramLabel("VALUE")
                    .description(setting.meaning() + byDefault + " (" + setting.variable() + ")")
                    .build());
        }
        spec.addOption(OptionSpec.builder("--kafka")
                .type(Map.class)
                .auxiliaryTypes(String.class, String.class)
                .paramLabel("PROPERTY=VALUE")
                .description("any Kafka client property (STAGED_JOBS_KAFKA_<PROPERTY>)")
                .build());
    }

    private static final String INSUFFICIENT_PRIVILEGE = "42501";

    private static final String GRANTS =
            " To install the tables, let a superuser grant this role the rights on a schema"
                    + " (GRANT USAGE, CREATE ON SCHEMA <schema> TO <role> WITH GRANT OPTION), or name a schema that the role"
                    + " owns with STAGED_JOBS_DATABASE_SCHEMA. For other commands, see operations.md, \"Roles and grants\".";

    private static String message(Exception e) {
        if (e instanceof ExternalFailureException
                || e instanceof SettingsException
                || e instanceof StagedJobsException
                || e instanceof CommandFailedException) {
            String words = String.valueOf(e.getMessage());
            return e instanceof SettingsException ? words : printable(words); // its problems are lines
        }
        if (e instanceof DataAccessException database) {
            Throwable said = database.getCause() == null ? database : database.getCause();
            return printable("PostgreSQL refused: " + said.getMessage() + ". Nothing was changed."
                    + (INSUFFICIENT_PRIVILEGE.equals(database.sqlState()) ? GRANTS : ""));
        }
        return "unexpected failure: " + e + ". No job is lost by it.";
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
