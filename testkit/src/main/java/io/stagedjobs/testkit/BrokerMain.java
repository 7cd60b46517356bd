package io.stagedjobs.testkit;

import java.io.IOException;
import kafka.Kafka;
import kafka.tools.StorageTool;

/**
 * What runs in a broker's JVM: formats the storage unless that was done by an earlier start, then serves.
 *
 * <p>The arguments are the configuration file and the cluster's id. The process ends when its standard input does: that
 * is the end of the JVM that started it, however it ended.
 */
final class BrokerMain {

    private BrokerMain() {}

    public static void main(String[] args) {
        endWithParent();
        String configuration = args[0];
        String clusterId = args[1];
        int exitCode = StorageTool.execute(
                new String[] {"format", "--ignore-formatted", "--cluster-id", clusterId, "--config", configuration},
                System.out);
        if (exitCode != 0) {
            System.exit(exitCode);
        }
        Kafka.main(new String[] {configuration});
    }

    private static void endWithParent() {
        Thread watcher = new Thread(
                () -> {
                    try {
                        while (System.in.read() >= 0) {
                            // Nobody writes here; only the end matters.
                        }
                    } catch (IOException e) {
                        // As good as the end.
                    }
                    Runtime.getRuntime().halt(1);
                },
                "end-with-parent");
        watcher.setDaemon(true);
        watcher.start();
    }
}
