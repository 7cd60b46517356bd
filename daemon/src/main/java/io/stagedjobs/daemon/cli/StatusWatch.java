package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.schema.SchemaException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A status that refreshes, until a signal or an interrupt ends it: a screen on a terminal, else a block of lines for
 * each reading, or a line of JSON.
 */
final class StatusWatch {

    private static final Duration END_MAX = Duration.ofSeconds(2);

    private final TerminalWriter out;
    private final Terminal terminal;
    private final Duration interval;
    private final boolean json;
    private final Trend trend = new Trend();
    private final @Nullable Sentence sentence;

    private @Nullable Screen screen;
    private List<Line> lastLines = List.of();
    private boolean ended;

    /** @param sentence null if nobody asks the doctor */
    StatusWatch(TerminalWriter out, Terminal terminal, Duration interval, boolean json, @Nullable Sentence sentence) {
        this.out = out;
        this.terminal = terminal;
        this.interval = interval;
        this.json = json;
        this.sentence = sentence;
    }

    /**
     * Watches until the thread is interrupted, or until the reader of the output is gone. A signal ends the process
     * with exit code 0.
     *
     * @param source reads anew at each call; if the first call fails, so does this one, and a later failure is shown
     */
    void run(Supplier<Reading> source) {
        Reading first = source.get();
        Thread onSignal = new Thread(this::endProcess, "signal");
        Runtime.getRuntime().addShutdownHook(onSignal);
        try {
            begin();
            show(first);
            while (rest()) {
                try {
                    show(source.get());
                } catch (ExternalFailureException | SchemaException e) {
                    showFailure(String.valueOf(e.getMessage()));
                }
            }
        } finally {
            end();
            forget(onSignal);
        }
    }

    private synchronized void begin() {
        if (terminal.out() && !json) {
            screen = new Screen(out, terminal);
        }
        if (sentence != null) {
            sentence.start();
        }
    }

    /** Returns false if nobody looks any more. */
    private boolean rest() {
        try {
            TimeUnit.MILLISECONDS.sleep(interval.toMillis());
            return !out.checkError();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private synchronized void show(Reading reading) {
        trend.add(reading);
        Watched now = Watched.of(trend, reading.status(), answer());
        lastLines = now.lines();
        if (json) {
            print(now);
        } else {
            print(Line.plain(""), lastLines, reading.status().at());
        }
    }

    private synchronized void showFailure(String message) {
        if (json) {
            print(Map.of("error", message));
        } else {
            Line failure = Line.bad(
                    "could not read the status, next try in " + seconds(interval) + ": " + Cli.printable(message));
            print(failure, lastLines, "an earlier time");
        }
    }

    private void print(Object document) {
        if (!ended) {
            Json.print(out, document);
        }
    }

    private void print(Line first, List<Line> lines, String at) {
        List<Line> all = new ArrayList<>();
        all.add(Line.plain("staged-jobs status of " + at + ", every " + seconds(interval)
                + (screen == null ? "" : "; Ctrl-C ends it")));
        Sentence.Answer answer = answer();
        if (answer != null) {
            all.add(answer.line());
        }
        all.add(first);
        all.addAll(lines);
        if (screen != null) {
            screen.show(all);
        } else if (!ended) {
            all.forEach(out::println);
            out.println();
        }
    }

    private static String seconds(Duration duration) {
        return Figures.seconds(duration.toMillis() / 1e3);
    }

    private Sentence.@Nullable Answer answer() {
        return sentence == null ? null : sentence.answer();
    }

    private synchronized void end() {
        ended = true;
        if (screen != null) {
            screen.close();
        }
        if (sentence != null) {
            sentence.close();
        }
    }

    /** Completes what is being shown, unless its reader takes no more. */
    private void endProcess() {
        Thread end = new Thread(this::end, "end");
        end.setDaemon(true);
        end.start();
        try {
            end.join(END_MAX.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Runtime.getRuntime().halt(0);
    }

    @SuppressWarnings("EmptyCatch")
    private static void forget(Thread onSignal) {
        try {
            Runtime.getRuntime().removeShutdownHook(onSignal);
        } catch (IllegalStateException ending) {
            // the signal has come
        }
    }
}
