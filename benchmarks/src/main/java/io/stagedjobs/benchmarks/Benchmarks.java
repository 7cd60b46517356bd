package io.stagedjobs.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The commands; each starts servers of its own and prints one table. */
@Command(
        name = "benchmarks/run",
        description = "Measures relays beside each other, on servers of their own.",
        mixinStandardHelpOptions = true,
        subcommands = {
            DrainCommand.class,
            SteadyCommand.class,
            StartCommand.class,
            StagingCommand.class,
            CacheCommand.class
        })
public final class Benchmarks {

    private Benchmarks() {}

    public static void main(String[] args) throws IOException {
        System.out.printf(
                "commit %s, %d processors, %s, Java %s%n",
                System.getProperty("stagedjobs.commit", "unknown"),
                Runtime.getRuntime().availableProcessors(),
                Files.readAllLines(Path.of("/proc/meminfo")).get(0).replaceAll("\\s+", " "),
                System.getProperty("java.version"));
        System.out.println("command: benchmarks/run " + String.join(" ", args));
        System.exit(new CommandLine(new Benchmarks()).execute(args));
    }
}
