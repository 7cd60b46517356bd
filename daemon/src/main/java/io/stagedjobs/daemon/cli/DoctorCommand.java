package io.stagedjobs.daemon.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.stagedjobs.enqueuer.assembly.DoctorAssembly;
import io.stagedjobs.enqueuer.diagnosis.Diagnosis;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Says why nothing moves, and what else is wrong; changes nothing, and goes on where a server is away. */
@Command(
        name = "doctor",
        description =
                "Says why nothing is moving and what is wrong, with the fix. Changes nothing. Exit code 0: nothing"
                        + " is wrong; 1: something is.",
        mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(names = "--json", description = "one JSON object instead of lines")
    private boolean json;

    @Override
    public Integer call() throws JsonProcessingException {
        Diagnosis diagnosis = DoctorAssembly.doctor(Cli.settings(spec)).examine();
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(new JsonMapper().writeValueAsString(diagnosis));
        } else {
            print(diagnosis, out);
        }
        return diagnosis.isWrong() ? 1 : 0;
    }

    private static void print(Diagnosis diagnosis, PrintWriter out) {
        out.println(Cli.printable(diagnosis.why()));
        out.println();
        diagnosis.findings().forEach(finding -> {
            out.printf("%-15s %s: %s%n", finding.verdict().label(), finding.check(), Cli.printable(finding.seen()));
            if (!finding.fix().isEmpty()) {
                out.printf("%-15s %s%n", "", Cli.printable(finding.fix()));
            }
        });
    }
}
