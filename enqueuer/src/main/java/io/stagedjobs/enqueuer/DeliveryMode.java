package io.stagedjobs.enqueuer;

import java.util.Arrays;
import java.util.Locale;

/** The promise to readers of Kafka. It belongs to the database, not to a process. */
public enum DeliveryMode {
    EXACTLY_ONCE,
    AT_LEAST_ONCE;

    /**
     * Reads it from its form in settings and in the database.
     *
     * @throws IllegalArgumentException if there is no such mode
     */
    public static DeliveryMode parse(String text) {
        return Arrays.stream(values())
                .filter(mode -> mode.toString().equals(text))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("there is no delivery mode " + text));
    }

    /** Its form in settings and in the database: {@code exactly-once}, {@code at-least-once}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
