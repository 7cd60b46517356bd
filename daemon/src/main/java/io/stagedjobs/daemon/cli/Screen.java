package io.stagedjobs.daemon.cli;

import java.util.List;

/**
 * A terminal's alternate screen: shows one frame in place of the other, and gives back what the terminal showed before.
 * Safe for use by many threads.
 */
final class Screen implements AutoCloseable {

    /** The alternate screen, no cursor, and no wrapping of long lines. */
    static final String OPEN = "\u001b[?1049h\u001b[?25l\u001b[?7l";

    static final String CLOSE = "\u001b[?7h\u001b[?25h\u001b[?1049l";

    private static final String TO_TOP = "\u001b[H";
    private static final String ERASE_BELOW = "\u001b[J";

    private final TerminalWriter out;
    private final Terminal terminal;
    private boolean open = true;

    Screen(TerminalWriter out, Terminal terminal) {
        this.out = out;
        this.terminal = terminal;
        out.control(OPEN);
    }

    /** Shows as much of the frame as the window has room for; shows nothing once the screen is closed. */
    synchronized void show(List<Line> frame) {
        if (!open) {
            return;
        }
        Terminal.Size size = terminal.size().get();
        boolean fits = frame.size() <= size.rows();
        int shown = fits ? frame.size() : Math.max(0, size.rows() - 1);
        out.control(TO_TOP);
        for (int i = 0; i < shown; i++) {
            show(frame.get(i), size);
            if (i < shown - 1 || !fits) {
                out.println();
            }
        }
        if (!fits) {
            show(Line.plain("… " + (frame.size() - shown) + " more lines; make the window taller"), size);
        }
        out.control(ERASE_BELOW);
    }

    private void show(Line line, Terminal.Size size) {
        out.print(line.style(), start(line.text(), size.columns() - 1));
        out.control(TerminalWriter.ERASE_LINE);
    }

    /** The first characters of a text. */
    static String start(String text, int charactersMax) {
        return text.codePointCount(0, text.length()) <= charactersMax
                ? text
                : text.substring(0, text.offsetByCodePoints(0, Math.max(0, charactersMax)));
    }

    @Override
    public synchronized void close() {
        if (open) {
            open = false;
            out.control(CLOSE);
        }
    }
}
