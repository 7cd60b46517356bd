package io.stagedjobs.enqueuer.settings;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;

/** Where a setting was given, the strongest first. */
public enum SettingSource {
    FLAG,
    ENVIRONMENT,
    FILE,
    /** Another program gave it. */
    PROGRAM,
    DEFAULT,
    /** It was not given, and has no default. */
    NONE;

    /** As a person and JSON read it. */
    @JsonValue
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
