package io.stagedjobs.enqueuer.settings;

import org.jspecify.annotations.Nullable;

/**
 * A setting as it holds, for people.
 *
 * @param value null if the setting is not given and has no default; three asterisks if it is a secret
 * @param place the flag, the variable or the file that gave it; empty if it was not given
 */
public record EffectiveSetting(String key, @Nullable String value, boolean secret, SettingSource source, String place) {

    private static final String MASKED = "***";

    static EffectiveSetting of(String key, boolean secret, @Nullable Given given, @Nullable String byDefault) {
        if (given == null) {
            return new EffectiveSetting(
                    key, byDefault, secret, byDefault == null ? SettingSource.NONE : SettingSource.DEFAULT, "");
        }
        return new EffectiveSetting(
                key,
                secret ? MASKED : given.text(),
                secret,
                given.source(),
                given.file() == null ? given.place() : given.place() + ": " + given.file());
    }
}
