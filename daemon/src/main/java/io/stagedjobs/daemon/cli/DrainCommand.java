package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.assembly.Drain;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.settings.Durations;
import io.stagedjobs.enqueuer.settings.Settings;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** A {@link Drain} as a command. */
@Command(
        name = "drain",
        description =
                "Publishes everything committed before it started, prints the number of published jobs, and ends.",
        exitCodeList = {
            "0:everything is published",
            "1:jobs are left, or it could not begin; standard error says why and what to do",
            "2:wrong usage or settings; nothing was started"
        },
        footer = {"  staged-jobs drain", "  staged-jobs drain --give-up-after 5m --json | jq .left"},
        mixinStandardHelpOptions = true)
final class DrainCommand implements Callable<Integer> {

    /** Reasons come first, then the topics with most jobs. */
    private static final int LINES_MAX = 20;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(
            names = "--give-up-after",
            paramLabel = "DURATION",
            defaultValue = "60s",
            description = "ends with 1 if nothing was published for this time (60s unless set)")
    private String giveUpAfter = "60s";

    @Option(names = "--json", description = Json.OPTION)
    private boolean json;

    @Override
    public Integer call() throws InterruptedException {
        Settings settings = Cli.settings(spec);
        Duration patience = patience();
        TerminalWriter err = (TerminalWriter) spec.commandLine().getErr();
        Drain.Result result;
        try (ProgressLine progress = ProgressLine.begin(err, Cli.terminal(spec), spec.name())) {
            result = Drain.run(settings, patience, progress::reached);
        }
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            Json.print(out, result);
        } else {
            out.println("published " + StatusReader.jobs(result.published()));
        }
        if (result.left().isEmpty()) {
            return 0;
        }
        result.left().stream().limit(LINES_MAX).forEach(reason -> err.println("drain: " + Cli.printable(reason)));
        if (result.left().size() > LINES_MAX) {
            err.println("drain: … and " + (result.left().size() - LINES_MAX)
                    + " more like these; `staged-jobs status --json` has them");
        }
        err.println("drain: nothing is lost. Remove the causes above and drain again.");
        return 1;
    }

    private Duration patience() {
        try {
            return Durations.parse(giveUpAfter);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), "--give-up-after is wrong: " + e.getMessage());
        }
    }
}
