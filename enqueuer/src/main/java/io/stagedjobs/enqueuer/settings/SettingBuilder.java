package io.stagedjobs.enqueuer.settings;

import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Describes one setting. The last call says what its values are, and adds it to the list of all settings. */
final class SettingBuilder {

    private final String key;
    private final Consumer<Setting<?>> all;
    private String meaning = "";
    private String expected = "";
    private @Nullable String unlessSet;

    SettingBuilder(String key, Consumer<Setting<?>> all) {
        this.key = key;
        this.all = all;
    }

    SettingBuilder meaning(String words) {
        meaning = words;
        return this;
    }

    SettingBuilder expected(String words) {
        expected = words;
        return this;
    }

    SettingBuilder unlessSet(String text) {
        unlessSet = text;
        return this;
    }

    Setting<String> text() {
        return parsedBy(text -> text);
    }

    Setting<String> secret() {
        return added(text -> text, true);
    }

    Setting<Boolean> trueOrFalse() {
        return expected("true or false").parsedBy(text -> {
            require(text.equals("true") || text.equals("false"));
            return text.equals("true");
        });
    }

    Setting<Integer> number(int min, int max) {
        return expected("a whole number from " + min + " to " + max).parsedBy(text -> {
            int value = Integer.parseInt(text);
            require(min <= value && value <= max);
            return value;
        });
    }

    Setting<Duration> duration(Duration min, Duration max) {
        return expected("a duration from " + Durations.print(min) + " to " + Durations.print(max)
                        + ", written as 250ms, 5s or 2m")
                .parsedBy(text -> {
                    Duration value = Durations.parse(text);
                    require(min.compareTo(value) <= 0 && value.compareTo(max) <= 0);
                    return value;
                });
    }

    /** @param parser throws IllegalArgumentException for a text that is not as expected */
    <T> Setting<T> parsedBy(Function<String, T> parser) {
        return added(parser, false);
    }

    private <T> Setting<T> added(Function<String, T> parser, boolean secret) {
        Setting<T> setting = new Setting<>(key, meaning, expected, unlessSet, parser, secret);
        all.accept(setting);
        return setting;
    }

    private static void require(boolean asExpected) {
        if (!asExpected) {
            throw new IllegalArgumentException();
        }
    }
}
