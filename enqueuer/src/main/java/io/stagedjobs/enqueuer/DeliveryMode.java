package io.stagedjobs.enqueuer;

import java.util.Arrays;
import java.util.Locale;

/** What readers of Kafka may rely on; the database's, not a process's. */
public enum DeliveryMode {
    EXACTLY_ONCE,
    AT_LEAST_ONCE;

    /**
     * Reads it as it is written in settings and in the database.
     *
     * @throws IllegalArgumentException if there is no such mode
     */
    public static DeliveryMode parse(String text) {
        return Arrays.stream(values())
                .filter(mode -> mode.toString().equals(text))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("there is no delivery mode " + text));
    }

    /** As it is written in settings and in the database: {@code exactly-once}, {@code at-least-once}. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
