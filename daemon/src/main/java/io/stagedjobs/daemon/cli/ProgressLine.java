package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.BackgroundThreads;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * How far a command is, on standard error. On a terminal it is one line that is drawn anew each second and erased at
 * the end; elsewhere it is a line twice a minute. Safe for use by many threads.
 */
final class ProgressLine implements AutoCloseable {

    private static final Duration EVERY = Duration.ofSeconds(1);
    private static final Duration EVERY_WITHOUT_TERMINAL = Duration.ofSeconds(30);

    private static final int BAR_CHARACTERS = 16;

    private final TerminalWriter err;
    private final Terminal terminal;
    private final String command;
    private final long began = System.nanoTime();
    private final ScheduledExecutorService clock =
            Executors.newSingleThreadScheduledExecutor(BackgroundThreads.daemons("progress"));
    private long done;
    private long all;
    private boolean closed;

    private ProgressLine(TerminalWriter err, Terminal terminal, String command) {
        this.err = err;
        this.terminal = terminal;
        this.command = command;
    }

    /** Begins to show the progress of a command, as soon as that is known. */
    @SuppressWarnings("FutureReturnValueIgnored") // it ends with the executor
    static ProgressLine begin(TerminalWriter err, Terminal terminal, String command) {
        ProgressLine line = new ProgressLine(err, terminal, command);
        long millis = (terminal.err() ? EVERY : EVERY_WITHOUT_TERMINAL).toMillis();
        line.clock.scheduleWithFixedDelay(line::draw, millis, millis, TimeUnit.MILLISECONDS);
        return line;
    }

    /**
     * What is known now.
     *
     * @param done the number of jobs that are done
     * @param all the number of jobs that there are to do, 0 if that is not known
     */
    synchronized void reached(long done, long all) {
        this.done = done;
        this.all = all;
    }

    private synchronized void draw() {
        if (closed || (done == 0 && all == 0)) {
            return;
        }
        String words = command + ": " + words(done, all, (System.nanoTime() - began) / 1e9);
        synchronized (err) {
            if (terminal.err()) {
                // The cursor stays at the beginning, so that a line of the log takes the place of this one.
                err.print(Screen.start(words, terminal.size().get().columns() - 1));
                err.control(TerminalWriter.ERASE_LINE + "\r");
            } else {
                err.println(words);
            }
        }
    }

    /** Progress after so many seconds, in words. */
    static String words(long done, long all, double seconds) {
        double perSecond = seconds <= 0 ? 0 : done / seconds;
        String rate = done == 0 ? Figures.seconds(seconds) + " so far" : Figures.rate(perSecond);
        if (all == 0) {
            return Figures.count(done) + " jobs, " + rate;
        }
        double share = Math.min(1, (double) done / all);
        int filled = (int) (share * BAR_CHARACTERS);
        return "[" + "#".repeat(filled) + ".".repeat(BAR_CHARACTERS - filled) + "] " + Figures.count(done) + " of "
                + Figures.count(all) + " jobs, " + (int) (share * 100) + " %, " + rate
                + (done == 0 ? "" : ", about " + Figures.seconds(Math.max(0, all - done) / perSecond) + " left");
    }

    /** Erases the line. */
    @Override
    public void close() {
        clock.shutdownNow();
        synchronized (this) {
            closed = true;
            err.control(TerminalWriter.ERASE_LINE);
        }
    }
}
