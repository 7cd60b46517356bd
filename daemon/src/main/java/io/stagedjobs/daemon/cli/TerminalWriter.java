package io.stagedjobs.daemon.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;

/**
 * A stream that a person may watch. All text passes {@link PrintableWriter}; only the styles and control sequences of
 * this class do not, and they are written to a terminal only. Safe for use by many threads.
 */
final class TerminalWriter extends PrintWriter {

    /** Erases from the cursor to the end of its line. */
    static final String ERASE_LINE = "\u001b[K";

    private final Writer raw;
    private final boolean terminal;
    private final boolean colours;

    /**
     * @param terminal whether {@code raw} leads to a terminal
     * @param colours whether it may show colours
     */
    TerminalWriter(Writer raw, boolean terminal, boolean colours) {
        super(new PrintableWriter(raw), true);
        this.raw = raw;
        this.terminal = terminal;
        this.colours = terminal && colours;
    }

    boolean isTerminal() {
        return terminal;
    }

    synchronized void print(Style style, String text) {
        if (!colours || style == Style.PLAIN) {
            print(text);
            return;
        }
        send(style.sequence());
        print(text);
        send(Style.OFF);
    }

    synchronized void println(Line line) {
        print(line.style(), line.text());
        println();
    }

    /** Writes a control sequence, which has no effect unless this is a terminal. */
    synchronized void control(String sequence) {
        if (terminal) {
            send(sequence);
        }
    }

    private void send(String sequence) {
        flush();
        try {
            raw.write(sequence);
            raw.flush();
        } catch (IOException e) {
            setError();
        }
    }

    /** Whether the reader is gone. */
    @Override
    public boolean checkError() {
        boolean here = super.checkError();
        return here || (raw instanceof PrintWriter writer && writer.checkError());
    }
}
