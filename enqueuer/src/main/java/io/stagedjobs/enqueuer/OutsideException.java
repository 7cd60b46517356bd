package io.stagedjobs.enqueuer;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * PostgreSQL or Kafka did not do what was asked. The open transaction, if there was one, is rolled back or its outcome is
 * unknown: the caller lets go of everything it holds, rests and acquires again.
 */
public final class OutsideException extends RuntimeException {

    /** Where something went wrong; also the value of the label {@code cause} of the failures meter. */
    public enum Side {
        POSTGRESQL,
        KAFKA,
        /** A mistake of our own. */
        ENQUEUER;

        /** The name in labels and answers, in lower case. */
        public String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final Side side;

    public OutsideException(Side side, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.side = side;
    }

    public Side side() {
        return side;
    }
}
