package io.stagedjobs.testkit;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A running program. It collects the program's output, and a test can stop, freeze or kill it.
 *
 * <p>Standard input stays open as long as this JVM lives and this object's process runs: a child that reads to its end
 * learns that its parent is gone, even if the parent was killed by SIGKILL. Thread-safe.
 *
 * <p>Signals other than a kill need a POSIX shell.
 */
public final class ChildProcess implements AutoCloseable {

    /** Older lines are dropped, so that a long run does not fill this JVM's memory. */
    private static final int LINES_MAX = 100_000;

    private static final int TAIL_LINES = 60;

    /** How long to wait for the rest of the output once the process is gone; a grandchild may hold the pipe open. */
    private static final Duration REST_OF_OUTPUT = Duration.ofSeconds(2);

    private static final String OWN_SETTINGS = "STAGED_JOBS_";

    private enum Source {
        STDOUT,
        STDERR
    }

    private record Line(Source source, String text) {}

    private final String name;
    private final Process process;

    /**
     * Used to send signals: {@link Process#destroy} would also close the child's streams, and closing its input ends
     * it.
     */
    private final ProcessHandle handle;

    private final AtExit atExit;

    /** Guards the three fields below; notified at each new line and at the end of each stream. */
    private final Object monitor = new Object();

    private final Deque<Line> lines = new ArrayDeque<>();
    private long forgotten;
    private int openStreams = Source.values().length;

    private ChildProcess(String name, Process process) {
        this.name = name;
        this.process = process;
        this.handle = process.toHandle();
        this.atExit = AtExit.run(handle::destroyForcibly);
        var unused = process.onExit().thenRun(atExit::cancel);
        collect(Source.STDOUT, process.getInputStream());
        collect(Source.STDERR, process.getErrorStream());
    }

    /**
     * Starts a program.
     *
     * @param name its name in errors and threads
     * @param command the program and its arguments
     * @param environment added to the inherited variables, except those that start with {@code STAGED_JOBS_}, so that a
     *     developer's own settings do not affect a test
     * @throws IllegalStateException if the program cannot be started
     */
    public static ChildProcess start(String name, List<String> command, Map<String, String> environment) {
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().keySet().removeIf(variable -> variable.startsWith(OWN_SETTINGS));
        builder.environment().putAll(environment);
        try {
            return new ChildProcess(name, builder.start());
        } catch (IOException e) {
            throw new IllegalStateException("cannot start " + name + ": " + e.getMessage(), e);
        }
    }

    public String name() {
        return name;
    }

    public long pid() {
        return process.pid();
    }

    public boolean isRunning() {
        return process.isAlive();
    }

    /** Everything printed so far on both streams, in the order of arrival; at most the last 100,000 lines. */
    public List<String> output() {
        return linesOf(null);
    }

    /** What was printed so far on standard output. */
    public List<String> stdout() {
        return linesOf(Source.STDOUT);
    }

    /** What was printed so far on standard error. */
    public List<String> stderr() {
        return linesOf(Source.STDERR);
    }

    /** As {@link #awaitLine(Predicate, Duration)}, for a line in which the pattern is found. */
    public String awaitLine(Pattern pattern, Duration timeout) {
        return await(line -> pattern.matcher(line).find(), "a line with \"" + pattern + "\"", timeout);
    }

    /**
     * Waits until the child has printed a wanted line, on either stream, and returns it. Lines printed before the call
     * count.
     *
     * @throws AssertionError with the output so far, if the child closes its output or time runs out before
     */
    public String awaitLine(Predicate<String> wanted, Duration timeout) {
        return await(wanted, "the awaited line", timeout);
    }

    /**
     * Waits for the child to end, and returns its exit code; a process that ended by a signal has 128 plus its number.
     *
     * @throws AssertionError with the output so far, if it still runs when time runs out
     */
    public int awaitExit(Duration timeout) {
        try {
            if (!process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS)) {
                throw failure("still runs after " + timeout.toMillis() + " ms");
            }
            awaitRestOfOutput();
            return process.exitValue();
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    /** Asks the child to end (SIGTERM), and returns at once. */
    public void terminate() {
        handle.destroy();
    }

    /** Ends the child by SIGKILL and waits until it is gone. Does nothing if it has ended already. */
    public void kill() {
        handle.destroyForcibly();
        awaitExit(Duration.ofSeconds(30));
    }

    /** Freezes the child (SIGSTOP): it keeps its connections and locks, and does nothing. */
    public void suspend() {
        signal("STOP");
    }

    /** Lets a frozen child go on (SIGCONT). */
    public void resume() {
        signal("CONT");
    }

    /** Kills the child if it still runs. */
    @Override
    public void close() {
        kill();
    }

    /** An error about this child that ends with the last lines it printed. */
    AssertionError failure(String what) {
        return new AssertionError(name + " (pid " + pid() + ") " + what + ". " + tail());
    }

    /** The last lines printed, as the end of an error message. */
    String tail() {
        List<String> all = output();
        if (all.isEmpty()) {
            return "It has printed nothing.";
        }
        List<String> last = all.subList(Math.max(0, all.size() - TAIL_LINES), all.size());
        return "Its last " + last.size() + " of " + all.size() + " lines:\n  " + String.join("\n  ", last);
    }

    private void signal(String signal) {
        if (!isRunning()) {
            throw failure("has ended with exit code " + process.exitValue() + ", it cannot take SIG" + signal);
        }
        try {
            Process sent = new ProcessBuilder("sh", "-c", "kill -" + signal + " " + pid())
                    .redirectErrorStream(true)
                    .start();
            String complaint = new String(sent.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (sent.waitFor() != 0) {
                throw failure("could not be sent SIG" + signal + ": " + complaint.strip());
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot send SIG" + signal + " to " + name, e);
        } catch (InterruptedException e) {
            throw interrupted(e);
        }
    }

    private String await(Predicate<String> wanted, String what, Duration timeout) {
        long deadline = System.nanoTime() + timeout.toNanos();
        long seen = 0;
        synchronized (monitor) {
            while (true) {
                // Lines are numbered from the first one ever printed: each is checked once, dropped ones never.
                Optional<String> found = lines.stream()
                        .skip(Math.max(0, seen - forgotten))
                        .map(Line::text)
                        .filter(wanted)
                        .findFirst();
                if (found.isPresent()) {
                    return found.get();
                }
                seen = forgotten + lines.size();
                if (openStreams == 0) {
                    throw failure("closed its output without " + what);
                }
                long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                if (left <= 0) {
                    throw failure("did not print " + what + " within " + timeout.toMillis() + " ms");
                }
                try {
                    monitor.wait(left);
                } catch (InterruptedException e) {
                    throw interrupted(e);
                }
            }
        }
    }

    private void awaitRestOfOutput() throws InterruptedException {
        long deadline = System.nanoTime() + REST_OF_OUTPUT.toNanos();
        synchronized (monitor) {
            while (openStreams > 0) {
                long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                if (left <= 0) {
                    return;
                }
                monitor.wait(left);
            }
        }
    }

    private List<String> linesOf(@Nullable Source source) {
        synchronized (monitor) {
            return lines.stream()
                    .filter(line -> source == null || line.source() == source)
                    .map(Line::text)
                    .toList();
        }
    }

    private void collect(Source source, InputStream stream) {
        Thread reader = new Thread(
                () -> read(source, stream), name + "-" + source.name().toLowerCase(Locale.ROOT));
        reader.setDaemon(true);
        reader.start();
    }

    private void read(Source source, InputStream stream) {
        try (BufferedReader reader = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
            for (String text = reader.readLine(); text != null; text = reader.readLine()) {
                add(new Line(source, text));
            }
        } catch (IOException e) {
            // The JVM closes the stream of a process that it destroys: the same as its end.
        } finally {
            synchronized (monitor) {
                openStreams--;
                monitor.notifyAll();
            }
        }
    }

    private void add(Line line) {
        synchronized (monitor) {
            if (lines.size() == LINES_MAX) {
                lines.removeFirst();
                forgotten++;
            }
            lines.addLast(line);
            monitor.notifyAll();
        }
    }

    private IllegalStateException interrupted(InterruptedException e) {
        Thread.currentThread().interrupt();
        return new IllegalStateException("interrupted while waiting for " + name, e);
    }
}
