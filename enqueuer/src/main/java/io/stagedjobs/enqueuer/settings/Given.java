package io.stagedjobs.enqueuer.settings;

import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A text that was given for a key, and where.
 *
 * @param place where it is, as a person knows it
 * @param spelling how that place writes a key
 * @param file contains a secret, and may change while the process runs
 */
record Given(
        SettingSource source,
        String key,
        String text,
        String place,
        UnaryOperator<String> spelling,
        @Nullable Path file) {

    /** In a place that has a name of its own for each key. */
    static Given named(SettingSource source, String key, String text, String name, UnaryOperator<String> spelling) {
        return new Given(source, key, text, name, spelling, null);
    }

    /** In a file with many keys. */
    static Given inFile(String key, String text, String file) {
        return new Given(SettingSource.FILE, key, text, file, same -> same, null);
    }

    /** The content of the file that this one names, under the key that it is for. */
    Given withContent(String otherKey, String content, Path from) {
        return new Given(source, otherKey, content, place, spelling, from);
    }

    /** The place, and the key where that does not follow from it. */
    String placeAndKey() {
        return place.equals(spelling.apply(key)) ? place : place + ": " + key;
    }
}
