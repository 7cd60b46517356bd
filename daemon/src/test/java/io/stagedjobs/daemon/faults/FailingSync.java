package io.stagedjobs.daemon.faults;

import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.TestPostgres;
import io.stagedjobs.testkit.Tools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A disk that takes what PostgreSQL writes and reports an error (EIO) when that is to be synced, until this is closed.
 * It concerns the processes that the server has now: those that it starts later sync again. What a real disk may have
 * lost then is still there; the subject is how everybody answers the error.
 *
 * <p>The system calls are intercepted by strace. Whoever may not trace processes has the test skipped.
 */
final class FailingSync implements AutoCloseable {

    private static final Duration ATTACH_MAX = Duration.ofSeconds(30);

    private final ChildProcess strace;

    /** @param call the system call that fails: {@code fsync} or {@code fdatasync} */
    FailingSync(TestPostgres postgres, String call) throws IOException {
        List<Long> processes = children(postgres);
        List<String> command = new ArrayList<>(List.of(Tools.require("strace").toString()));
        command.addAll(List.of("--trace=" + call, "--inject=" + call + ":error=EIO"));
        processes.forEach(process -> command.addAll(List.of("-p", "" + process)));
        strace = ChildProcess.start("strace", command, Map.of());
        try {
            strace.awaitLine(line -> line.contains("Process ") && line.contains(" attached"), ATTACH_MAX);
        } catch (AssertionError e) {
            strace.close();
            throw Tools.unusable("strace", "may not trace PostgreSQL here: " + e.getMessage());
        }
    }

    private static List<Long> children(TestPostgres postgres) throws IOException {
        Path pidFile = postgres.dataDirectory().resolve("postmaster.pid");
        long postmaster = Long.parseLong(Files.readAllLines(pidFile).get(0).strip());
        return ProcessHandle.of(postmaster)
                .orElseThrow()
                .children()
                .map(ProcessHandle::pid)
                .toList();
    }

    /** Lets go of the processes that are left. */
    @Override
    public void close() {
        strace.terminate();
        strace.awaitExit(ATTACH_MAX);
    }
}
