package io.stagedjobs.enqueuer;

import java.util.Locale;

/** Where a failure came from; also the value of the label {@code cause} of the failures meter. */
public enum Origin {
    POSTGRESQL,
    KAFKA,
    /** A mistake of our own. */
    ENQUEUER;

    /** The name in labels and answers, in lower case. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
