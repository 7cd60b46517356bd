package io.stagedjobs.daemon.cli;

import java.io.IOException;
import java.io.Writer;
import java.util.stream.Collectors;

/**
 * Lets no text control a terminal, wherever it comes from: writes control and format characters, such as those that
 * reverse the direction of text, as Java escapes them. Only line ends pass; {@link #escaped} escapes these too.
 */
final class PrintableWriter extends Writer {

    private final Writer out;

    PrintableWriter(Writer out) {
        this.out = out;
    }

    /** Foreign text as one line. */
    static String escaped(String text) {
        return text.codePoints().mapToObj(PrintableWriter::escaped).collect(Collectors.joining());
    }

    private static String escaped(int character) {
        return switch (Character.getType(character)) {
            case Character.CONTROL, Character.FORMAT, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR ->
                Character.toString(character)
                        .chars()
                        .mapToObj(unit -> String.format("\\u%04x", unit))
                        .collect(Collectors.joining());
            default -> Character.toString(character);
        };
    }

    @Override
    public void write(char[] buffer, int offset, int length) throws IOException {
        StringBuilder escaped = new StringBuilder(length);
        for (int i = offset; i < offset + length; i++) {
            char c = buffer[i];
            boolean asItIs = System.lineSeparator().indexOf(c) >= 0 || Character.isSurrogate(c);
            escaped.append(asItIs ? String.valueOf(c) : escaped(c));
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
