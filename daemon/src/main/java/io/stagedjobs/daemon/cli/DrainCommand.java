package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.assembly.Drain;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.settings.Durations;
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
        description = "Publishes everything committed before it started, prints how many jobs that were, and ends.",
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
            description = "ends with 1 if for so long nothing was published (60s unless set)")
    private String giveUpAfter = "60s";

    @Override
    public Integer call() throws InterruptedException {
        Drain.Result result = Drain.run(Cli.settings(spec), patience());
        spec.commandLine().getOut().println("published " + StatusReader.jobs(result.published()));
        if (result.left().isEmpty()) {
            return 0;
        }
        PrintWriter err = spec.commandLine().getErr();
        result.left().stream().limit(LINES_MAX).forEach(reason -> err.println("drain: " + Cli.printable(reason)));
        if (result.left().size() > LINES_MAX) {
            err.println("drain: … and " + (result.left().size() - LINES_MAX)
                    + " more like these; `staged-jobs status --json` has them");
        }
        err.println("drain: nothing is lost. Put right what is named above and drain again.");
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
