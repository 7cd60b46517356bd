package io.stagedjobs.daemon.cli;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Numbers as people read them. */
final class Figures {

    private static final int MINUTE = 60;
    private static final int HOUR = 60 * MINUTE;
    private static final int DAY = 24 * HOUR;

    private Figures() {}

    /** A span of time in the largest unit of which it has at least two. */
    static String seconds(double seconds) {
        return seconds < 10
                ? String.format(Locale.ROOT, "%.1f s", seconds)
                : seconds < 2 * MINUTE
                        ? String.format(Locale.ROOT, "%.0f s", seconds)
                        : seconds < 2 * HOUR
                                ? String.format(Locale.ROOT, "%.0f min", seconds / MINUTE)
                                : seconds < 2 * DAY
                                        ? String.format(Locale.ROOT, "%.0f h", seconds / HOUR)
                                        : String.format(Locale.ROOT, "%.0f days", seconds / DAY);
    }

    /** Jobs per second. */
    static String rate(@Nullable Double jobsPerSecond) {
        return jobsPerSecond == null
                ? "unknown"
                : String.format(Locale.ROOT, jobsPerSecond < 10 ? "%.1f jobs/s" : "%,.0f jobs/s", jobsPerSecond);
    }

    static String count(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }
}
