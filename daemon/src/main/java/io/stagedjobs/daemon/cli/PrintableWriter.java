package io.stagedjobs.daemon.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;

/**
 * Lets nothing through to a terminal that could play tricks with it, wherever it comes from: control and format
 * characters are written as Java escapes them, but for line ends.
 */
final class PrintableWriter extends Writer {

    private final Writer out;

    private PrintableWriter(Writer out) {
        this.out = out;
    }

    static PrintWriter over(Writer out) {
        return new PrintWriter(new PrintableWriter(out), true);
    }

    static String printable(int character) {
        return Character.isISOControl(character) || Character.getType(character) == Character.FORMAT
                ? String.format("\\u%04x", character)
                : Character.toString(character);
    }

    @Override
    public void write(char[] buffer, int offset, int length) throws IOException {
        StringBuilder escaped = new StringBuilder(length);
        for (int i = offset; i < offset + length; i++) {
            char c = buffer[i];
            boolean asItIs = c == '\n' || c == '\r' || Character.isSurrogate(c);
            escaped.append(asItIs ? String.valueOf(c) : printable(c));
        }
        out.write(escaped.toString());
    }

    @Override
    public void flush() throws IOException {
        out.flush();
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
