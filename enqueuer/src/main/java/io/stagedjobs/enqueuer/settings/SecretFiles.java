package io.stagedjobs.enqueuer.settings;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Supplier;

/** Secrets that are given by the names of the files that hold them. */
final class SecretFiles {

    private static final String SUFFIX = ".file";

    private SecretFiles() {}

    /** Whether a key is for the name of a file with a secret. */
    static boolean isFile(String key) {
        return key.endsWith(SUFFIX);
    }

    /** The key of the secret that such a file holds. */
    static String secretOf(String key) {
        return key.substring(0, key.length() - SUFFIX.length());
    }

    /** Puts the secrets in the place of the files' names. */
    static void read(Map<String, Given> values, List<String> problems) {
        for (String key : new TreeSet<>(values.keySet())) {
            if (isFile(key)) {
                Given file = values.remove(key);
                String secret = secretOf(key);
                Given twice = values.get(secret);
                if (twice != null) {
                    problems.add("setting " + secret + " is given twice: by " + twice.place() + " and by the file of "
                            + file.place());
                    continue;
                }
                try {
                    Path path = Path.of(file.text());
                    values.put(secret, file.withContent(secret, content(path), path));
                } catch (IOException | IllegalArgumentException e) {
                    problems.add("could not read the secret file that " + file.place() + " names: " + e);
                }
            }
        }
    }

    /** Reads the file again each time; while that cannot be read, the secret is what it was at first. */
    static Supplier<String> readAgain(Path file, String atFirst) {
        return () -> {
            try {
                return content(file);
            } catch (IOException replacedJustNow) {
                return atFirst;
            }
        };
    }

    private static String content(Path file) throws IOException {
        return Files.readString(file, UTF_8).stripTrailing();
    }
}
