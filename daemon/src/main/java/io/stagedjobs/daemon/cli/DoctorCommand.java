package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.assembly.DoctorAssembly;
import io.stagedjobs.enqueuer.diagnosis.Diagnosis;
import io.stagedjobs.enqueuer.diagnosis.Verdict;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says why nothing moves, and what else is wrong. Changes nothing, and continues if a server is away. */
@Command(
        name = "doctor",
        description =
                "Says in one sentence why nothing is moving, then lists all that it checked, worst first, each with the"
                        + " fix. Changes nothing.",
        exitCodeList = {
            "0:nothing is wrong; there may be warnings",
            "1:something is wrong",
            "2:wrong usage or settings; nothing was started"
        },
        footer = {
            "  staged-jobs doctor",
            "  staged-jobs doctor --json | jq '.findings[] | select(.verdict == \"wrong\")'"
        },
        mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(names = "--json", description = Json.OPTION)
    private boolean json;

    @Override
    public Integer call() {
        Diagnosis diagnosis = DoctorAssembly.doctor(Cli.settings(spec)).examine();
        TerminalWriter out = (TerminalWriter) spec.commandLine().getOut();
        if (json) {
            Json.print(out, diagnosis);
        } else {
            print(diagnosis, out);
        }
        return diagnosis.isWrong() ? 1 : 0;
    }

    private static void print(Diagnosis diagnosis, TerminalWriter out) {
        out.println(Line.bold(Cli.printable(diagnosis.why())));
        out.println();
        diagnosis.findings().forEach(finding -> {
            out.print(
                    style(finding.verdict()),
                    String.format("%-15s", finding.verdict().label()));
            out.println(" " + Cli.printable(finding.check()) + ": " + Cli.printable(finding.seen()));
            if (!finding.fix().isEmpty()) {
                out.println(" ".repeat(16) + Cli.printable(finding.fix()));
            }
        });
    }

    private static Style style(Verdict verdict) {
        return switch (verdict) {
            case WRONG -> Style.BAD;
            case WARNING, NOT_LOOKED -> Style.WARNING;
            case OK -> Style.GOOD;
        };
    }
}
