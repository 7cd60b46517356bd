package io.stagedjobs.enqueuer.settings;

import java.util.List;

/** Some settings are unknown, missing or out of bounds. Nothing was started; the operator is to correct them. */
public final class SettingsException extends RuntimeException {

    /** Several problems are reported at once, one a line. */
    public SettingsException(List<String> problems) {
        super(String.join(System.lineSeparator(), problems));
    }
}
