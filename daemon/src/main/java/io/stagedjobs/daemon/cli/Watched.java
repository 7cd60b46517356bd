package io.stagedjobs.daemon.cli;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import io.stagedjobs.enqueuer.postgres.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A status and where it is heading.
 *
 * @param why the doctor's sentence; null until it is known
 * @param backlogPerSecond how the backlog changes; null if that is not known
 * @param timeToDrainSeconds null if it is not known, or if the backlog does not shrink
 */
record Watched(
        @Nullable String why,
        @JsonUnwrapped Status status,
        Trend.Rates rates,
        @Nullable Double backlogPerSecond,
        @Nullable Double timeToDrainSeconds) {

    private static final int ENTRIES_MAX = 8;

    static Watched of(Trend trend, Status status, Sentence.@Nullable Answer sentence) {
        return new Watched(
                sentence == null ? null : sentence.why(),
                status,
                trend.rates(),
                trend.backlogPerSecond(),
                trend.timeToDrainSeconds());
    }

    /** For people, the most important first: a window may have no room for the rest. */
    List<Line> lines() {
        StatusReport report = new StatusReport(status, ENTRIES_MAX);
        List<Line> lines = new ArrayList<>(List.of(report.backlog(), movement(), outlook()));
        lines.addAll(report.problems());
        lines.add(Line.plain(""));
        lines.addAll(report.jobs());
        lines.addAll(report.workers());
        return lines;
    }

    private Line movement() {
        return Line.plain("in " + Figures.rate(rates.stagedPerSecond()) + ", out "
                + Figures.rate(rates.publishedPerSecond())
                + (rates.overSeconds() == null
                        ? ""
                        : String.format(Locale.ROOT, " over the last %.0f s", rates.overSeconds())));
    }

    private Line outlook() {
        Double change = backlogPerSecond;
        Double left = timeToDrainSeconds;
        if (status.backlog() == 0) {
            return Line.plain("nothing waits");
        }
        if (change == null) {
            return Line.plain("the backlog's trend is not known yet");
        }
        if (left != null) {
            return Line.plain("the backlog shrinks by " + Figures.rate(-change) + ": nothing will wait in about "
                    + Figures.seconds(left));
        }
        return change > 0
                ? new Line(Style.WARNING, "the backlog grows by " + Figures.rate(change))
                : Line.plain("the backlog stays as it is");
    }
}
