package io.stagedjobs.testkit;

import java.io.IOException;
import java.nio.file.Path;
import kafka.Kafka;
import kafka.tools.StorageTool;

/**
 * The main class of a broker's JVM: formats the storage unless an earlier start did, then serves.
 *
 * <p>The arguments are the broker's directory and the cluster's id. The process ends when its standard input ends,
 * which means that the JVM that started it is gone. It then deletes the directory.
 */
final class BrokerMain {

    /** The name of the configuration file in the broker's directory. */
    static final String CONFIGURATION = "server.properties";

    private BrokerMain() {}

    public static void main(String[] args) {
        Path directory = Path.of(args[0]);
        endWithParent(directory);
        String configuration = directory.resolve(CONFIGURATION).toString();
        String clusterId = args[1];
        int exitCode = StorageTool.execute(
                new String[] {"format", "--ignore-formatted", "--cluster-id", clusterId, "--config", configuration},
                System.out);
        if (exitCode != 0) {
            System.exit(exitCode);
        }
        Kafka.main(new String[] {configuration});
    }

    private static void endWithParent(Path directory) {
        Thread watcher = new Thread(
                () -> {
                    try {
                        while (System.in.read() >= 0) {
                            // Nobody writes here; only the end matters.
                        }
                    } catch (IOException e) {
                        // Counts as the end.
                    }
                    try {
                        TempDirectory.deleteTree(directory);
                    } catch (IOException e) {
                        // The broker still writes there. The operating system will clean up the rest.
                    }
                    Runtime.getRuntime().halt(1);
                },
                "end-with-parent");
        watcher.setDaemon(true);
        watcher.start();
    }
}
