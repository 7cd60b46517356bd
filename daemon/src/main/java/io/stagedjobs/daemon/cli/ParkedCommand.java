package io.stagedjobs.daemon.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** What was moved aside: look at it, requeue it, discard it. */
@Command(
        name = "parked",
        description = "Lists, shows, requeues and discards the jobs that were moved aside.",
        subcommands = {
            ParkedListCommand.class,
            ParkedShowCommand.class,
            ParkedChangeCommand.Requeue.class,
            ParkedChangeCommand.Discard.class
        },
        footer = {
            "  staged-jobs parked list --state parked",
            "  staged-jobs parked show 17 --payload",
            "  staged-jobs parked requeue --topic orders",
            "  staged-jobs parked requeue --help"
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
}
