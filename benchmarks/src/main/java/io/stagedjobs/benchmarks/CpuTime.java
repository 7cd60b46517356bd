package io.stagedjobs.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Processor time that a process has used, with its children, those that have ended among them. Linux only. */
final class CpuTime {

    /** Linux counts in hundredths of a second on every common machine. */
    private static final double TICKS_PER_SECOND = 100;

    private static final int PARENT = 1;
    private static final int FIRST_TIME = 11;
    private static final int TIMES = 4;

    private CpuTime() {}

    /** Seconds so far, of the process and of those that it is the parent of. */
    static double seconds(long pid) {
        long ticks = ticks(pid);
        try (Stream<Path> all = Files.list(Path.of("/proc"))) {
            for (Path process : all.filter(path -> path.getFileName().toString().matches("\\d+"))
                    .toList()) {
                long child = Long.parseLong(process.getFileName().toString());
                List<String> stat = stat(child);
                if (!stat.isEmpty() && Long.parseLong(stat.get(PARENT)) == pid) {
                    ticks += ticks(child);
                }
            }
        } catch (IOException e) {
            throw new IllegalStateException("cannot read processor times from /proc", e);
        }
        return ticks / TICKS_PER_SECOND;
    }

    /** User and system time, its own and that of its dead children. */
    private static long ticks(long pid) {
        return stat(pid).stream()
                .skip(FIRST_TIME)
                .limit(TIMES)
                .mapToLong(Long::parseLong)
                .sum();
    }

    /** The fields after the program's name, which may contain anything; none if the process is gone. */
    private static List<String> stat(long pid) {
        try {
            String line = Files.readString(Path.of("/proc/" + pid + "/stat"));
            return List.of(line.substring(line.lastIndexOf(')') + 2).trim().split(" "));
        } catch (IOException gone) {
            return List.of();
        }
    }
}
