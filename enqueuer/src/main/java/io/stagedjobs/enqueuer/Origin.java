package io.stagedjobs.enqueuer;

import java.util.Locale;

/** The origin of a failure; also the value of the label {@code cause} of the failures meter. */
public enum Origin {
    POSTGRESQL,
    KAFKA,
    /** An error of our own. */
    ENQUEUER;

    /** The name in labels and answers, in lower case. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
