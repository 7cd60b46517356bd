package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.File;
import java.io.IOException;
import java.util.Map;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a person watches.
 *
 * @param out whether standard output is a terminal that understands control sequences
 * @param err whether standard error is one
 * @param colours whether the person wants colours: see no-color.org
 * @param size of the window; it may change while a command runs
 */
record Terminal(boolean out, boolean err, boolean colours, Supplier<Size> size) {

    /** Set by the launcher, because Java cannot tell the two streams apart: {@code out}, {@code err} or both. */
    static final String PROPERTY = "io.stagedjobs.terminal";

    /** Nobody watches: output goes to files and programs. */
    static final Terminal NONE = new Terminal(false, false, false, () -> Size.USUAL);

    private static final Pattern ROWS_AND_COLUMNS = Pattern.compile("(\\d{1,4}) (\\d{1,4})");

    /** In characters. */
    record Size(int columns, int rows) {
        static final Size USUAL = new Size(80, 24);
    }

    /**
     * The terminal of this process.
     *
     * @param streams as {@link #PROPERTY} has them
     */
    static Terminal of(String streams, Map<String, String> environment) {
        boolean understands = !environment.getOrDefault("TERM", "dumb").equals("dumb");
        return new Terminal(
                understands && streams.contains("out"),
                understands && streams.contains("err"),
                environment.getOrDefault("NO_COLOR", "").isEmpty(),
                Terminal::measured);
    }

    private static Size measured() {
        try {
            Process stty = new ProcessBuilder("stty", "size")
                    .redirectInput(new File("/dev/tty"))
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String answer = new String(stty.getInputStream().readAllBytes(), US_ASCII).strip();
            Matcher size = ROWS_AND_COLUMNS.matcher(answer);
            return size.matches() && !answer.equals("0 0")
                    ? new Size(Integer.parseInt(size.group(2)), Integer.parseInt(size.group(1)))
                    : Size.USUAL;
        } catch (IOException unknown) { // there is no stty, or no terminal that controls this process
            return Size.USUAL;
        }
    }
}
