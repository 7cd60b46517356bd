package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.Membership;
import io.stagedjobs.enqueuer.diagnosis.Work.Problem;
import io.stagedjobs.enqueuer.postgres.Status;
import io.stagedjobs.enqueuer.postgres.Status.Instance;
import io.stagedjobs.enqueuer.postgres.Status.Lane;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A status in lines for people. */
final class StatusReport {

    private final Status status;
    private final int entriesMax;

    /**
     * @param entriesMax the most topics, groups and problems to list; thousands would drive the lanes off the screen
     */
    StatusReport(Status status, int entriesMax) {
        this.status = status;
        this.entriesMax = entriesMax;
    }

    /** Everything, in the order of a single status. */
    List<Line> all() {
        List<Line> lines = new ArrayList<>(List.of(backlog()));
        lines.addAll(jobs());
        lines.addAll(workers());
        lines.addAll(problems());
        return lines;
    }

    Line backlog() {
        return Line.bold(String.format(
                Locale.ROOT,
                "schema version %d, %s%s waiting, the oldest for %.1f s",
                status.schemaVersion(),
                status.exact() ? "" : "about ",
                StatusReader.jobs(status.backlog()),
                status.oldestAgeSeconds()));
    }

    /** Topics of waiting jobs, jobs that were moved aside, and pauses. */
    List<Line> jobs() {
        List<Line> lines = new ArrayList<>(first(
                status.topics(),
                "topics with waiting jobs",
                topic -> Line.plain(
                        String.format(Locale.ROOT, "  %,10d  %s", topic.backlog(), Cli.printable(topic.topic())))));
        lines.addAll(first(
                status.aside(),
                "groups of jobs that were moved aside",
                group -> new Line(
                        Style.WARNING,
                        String.format(
                                Locale.ROOT,
                                "  %,10d  %s %s: %s",
                                group.jobs(),
                                Cli.printable(group.topic()),
                                Cli.printable(group.state()),
                                Cli.printable(group.reason())))));
        if (!status.paused().isEmpty()) {
            lines.add(new Line(
                    Style.WARNING,
                    "paused: "
                            + status.paused().stream()
                                    .map(topic ->
                                            topic.equals(Membership.ALL_TOPICS) ? "everything" : Cli.printable(topic))
                                    .collect(Collectors.joining(", "))));
        }
        return lines;
    }

    /** Lanes and enqueuers, as tables. */
    List<Line> workers() {
        List<Line> lines = new ArrayList<>(List.of(
                Line.plain(""),
                Line.bold(String.format(
                        "%-5s %-32s %10s %10s %10s", "lane", "owner", "generation", "waiting", "oldest"))));
        status.lanes().forEach(lane -> lines.add(line(lane)));
        lines.add(Line.plain(""));
        if (status.enqueuers().isEmpty()) {
            lines.add(Line.bad("no enqueuer runs; start one with `staged-jobs run`"));
            return lines;
        }
        lines.add(Line.bold(String.format("%-32s %-15s %10s %10s", "enqueuer", "delivery", "started", "seen")));
        status.enqueuers().forEach(enqueuer -> lines.add(line(enqueuer)));
        return lines;
    }

    private static Line line(Lane lane) {
        return new Line(
                lane.halted() == null ? Style.PLAIN : Style.BAD,
                String.format(
                        Locale.ROOT,
                        "%-5d %-32s %10d %10d %8.1f s%s",
                        lane.lane(),
                        lane.owner() == null ? "(free)" : Cli.printable(lane.owner()),
                        lane.generation(),
                        lane.backlog(),
                        lane.oldestAgeSeconds(),
                        lane.halted() == null ? "" : "  halted"));
    }

    private static Line line(Instance enqueuer) {
        return new Line(
                enqueuer.alive() ? Style.PLAIN : Style.BAD,
                String.format(
                        Locale.ROOT,
                        "%-32s %-15s %8.0f s %8.1f s%s",
                        Cli.printable(enqueuer.name()),
                        Cli.printable(enqueuer.delivery()),
                        enqueuer.startedSecondsAgo(),
                        enqueuer.seenSecondsAgo(),
                        remark(enqueuer)));
    }

    private static String remark(Instance enqueuer) {
        if (!enqueuer.alive()) {
            return "  (gone without leaving)";
        }
        return enqueuer.lanes() == 0 ? "  (stands by)" : "";
    }

    /** The problems of all enqueuers, after an empty line; nothing if there are none. */
    List<Line> problems() {
        List<Line> problems =
                status.enqueuers().stream().flatMap(StatusReport::problems).toList();
        if (problems.isEmpty()) {
            return List.of();
        }
        List<Line> lines = new ArrayList<>(List.of(Line.plain("")));
        lines.addAll(first(problems, "problems", line -> line));
        return lines;
    }

    /** Those of an enqueuer that is gone are the last that it reported. */
    private static Stream<Line> problems(Instance enqueuer) {
        return enqueuer.problems().stream()
                .map(problem -> Line.bad(String.format(
                        Locale.ROOT,
                        "%s%s, for %.0f s: %s",
                        Cli.printable(enqueuer.name()),
                        enqueuer.alive() ? "" : " (gone)",
                        problem.lastingSeconds(),
                        words(problem))));
    }

    private static String words(Problem problem) {
        String place = Cli.printable(problem.place());
        return (place.startsWith("lane ") ? place + " is halted" : place) + ": " + Cli.printable(problem.reason());
    }

    private <T> List<Line> first(List<T> all, String what, Function<T, Line> line) {
        List<Line> lines = new ArrayList<>();
        all.stream().limit(entriesMax).map(line).forEach(lines::add);
        if (all.size() > entriesMax) {
            lines.add(Line.plain(
                    String.format("  … and %d more %s; `status --json` has them", all.size() - entriesMax, what)));
        }
        return lines;
    }
}
