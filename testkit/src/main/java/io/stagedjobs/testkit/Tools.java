package io.stagedjobs.testkit;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.opentest4j.TestAbortedException;

/**
 * External programs that some tests need, such as {@code psql} or {@code pgbouncer}.
 *
 * <p>The environment variable {@code STAGED_JOBS_TEST_REQUIRE} lists required programs, separated by commas: if one of
 * these is missing, its tests fail instead of being skipped. Callers need opentest4j on the class path, which comes
 * with JUnit.
 */
public final class Tools {

    private static final String REQUIRED = "STAGED_JOBS_TEST_REQUIRE";

    private Tools() {}

    /**
     * Finds a program on the search path.
     *
     * @throws TestAbortedException if it is absent, which test frameworks count as a skipped test
     * @throws AssertionError if it is absent and listed as required
     */
    public static Path require(String program) {
        return require(program, System.getenv("PATH"), System.getenv(REQUIRED));
    }

    static Path require(String program, @Nullable String searchPath, @Nullable String required) {
        Optional<Path> found = entries(searchPath, File.pathSeparator)
                .map(directory -> Path.of(directory, program))
                .filter(Files::isExecutable)
                .findFirst();
        if (found.isPresent()) {
            return found.get();
        }
        throw withoutIt(program, "is not on the PATH", required);
    }

    /**
     * For a program that exists but may not do its work, such as {@code mount} in a container.
     *
     * @param why the words that follow the program's name
     * @throws TestAbortedException as {@link #require}
     * @throws AssertionError as {@link #require}
     */
    public static RuntimeException unusable(String program, String why) {
        throw withoutIt(program, why, System.getenv(REQUIRED));
    }

    private static TestAbortedException withoutIt(String program, String why, @Nullable String required) {
        if (entries(required, ",").anyMatch(program::equals)) {
            throw new AssertionError(program + " " + why + ", but " + REQUIRED
                    + " requires it. Install it, or take it off that list to have its tests skipped.");
        }
        return new TestAbortedException(program + " " + why + ". Install it to run this test; name it in " + REQUIRED
                + " to have its absence fail.");
    }

    private static Stream<String> entries(@Nullable String list, String separator) {
        return list == null
                ? Stream.empty()
                : Arrays.stream(list.split(Pattern.quote(separator), -1))
                        .map(String::strip)
                        .filter(entry -> !entry.isEmpty());
    }
}
