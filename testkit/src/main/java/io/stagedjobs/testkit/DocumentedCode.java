package io.stagedjobs.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Code that is both in a document and in a test, which shows that it works. In the test it is a region from {@code //
 * <document>:<name>} to {@code // end}; in the document it is a fenced block.
 */
public final class DocumentedCode {

    private DocumentedCode() {}

    /**
     * The regions of a test's source, in their order, without the indent of their first line's comment; empty if there
     * are none.
     */
    public static List<String> regions(Path source, String document) {
        return parts(source, "( *)// " + document + ":\\w+\\n(.*?)\\n *// end")
                .map(region -> region.group(2).replaceAll("(?m)^" + region.group(1), ""))
                .toList();
    }

    /** The blocks of that language in a document, in their order, empty if there are none. */
    public static List<String> blocks(Path document, String language) {
        return parts(document, "```" + language + "\\n(.*?)\\n```")
                .map(block -> block.group(1))
                .toList();
    }

    private static Stream<MatchResult> parts(Path file, String part) {
        try {
            return Pattern.compile(part, Pattern.DOTALL)
                    .matcher(Files.readString(file))
                    .results();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
