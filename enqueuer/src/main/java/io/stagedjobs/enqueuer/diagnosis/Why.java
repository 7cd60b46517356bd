package io.stagedjobs.enqueuer.diagnosis;

import io.stagedjobs.enqueuer.diagnosis.Work.Enqueuer;
import io.stagedjobs.enqueuer.diagnosis.Work.Problem;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Answers "why is nothing moving?" by the first reason that holds; reasons that stop everything come first. */
final class Why {

    static final String CHECK = "jobs";
    private static final String ALL_TOPICS = "*";
    static final int NAMED_MAX = 3;

    private final Thresholds thresholds;

    Why(Thresholds thresholds) {
        this.thresholds = thresholds;
    }

    /**
     * The reason, as a finding; its verdict is OK if jobs move or none waits.
     *
     * @param databaseAway why PostgreSQL cannot be reached, null if it can
     * @param work null if it could not be read
     * @param kafkaAway why Kafka cannot be reached, null if it can
     * @param findings of all checks, worst first
     */
    Finding of(@Nullable String databaseAway, @Nullable Work work, @Nullable String kafkaAway, List<Finding> findings) {
        if (databaseAway != null) {
            return wrong(
                    "Nothing moves because PostgreSQL cannot be reached: " + withoutStop(databaseAway),
                    "Jobs that were staged are kept there, and the enqueuers go on by themselves once it answers");
        }
        if (work == null) {
            return findings.stream()
                    .filter(finding -> finding.verdict() == Verdict.WRONG || finding.verdict() == Verdict.NOT_LOOKED)
                    .findFirst()
                    .map(cause -> new Finding(
                            CHECK,
                            cause.verdict(),
                            "What waits could not be read, perhaps because of this: " + cause.seen(),
                            cause.fix()))
                    .orElseGet(() -> Finding.notLooked(CHECK, "What waits could not be read", ""));
        }
        return Stream.<Function<Work, Optional<Finding>>>of(
                        this::nobodyLives,
                        this::everythingPaused,
                        this::halted,
                        seen -> away(seen, kafkaAway),
                        this::postgresqlRefuses,
                        this::nobodyOwns,
                        this::stuck,
                        AsideReason::of,
                        this::writerOpen)
                .map(reason -> reason.apply(work))
                .flatMap(Optional::stream)
                .findFirst()
                .orElseGet(() -> Finding.ok(
                        CHECK,
                        work.waits()
                                ? "Jobs move; the oldest waits for " + seconds(work.oldestSeconds())
                                : "Nothing waits"));
    }

    private Optional<Finding> nobodyLives(Work work) {
        if (work.living().findAny().isPresent()) {
            return Optional.empty();
        }
        String last = work.enqueuers().stream()
                .min((one, other) -> Double.compare(one.seenSecondsAgo(), other.seenSecondsAgo()))
                .map(gone -> "; the last one, " + gone.name() + ", ended without leaving and was seen "
                        + seconds(gone.seenSecondsAgo()) + " ago"
                        + gone.problems().stream()
                                .map(problem -> ", with this problem: " + problem.reason())
                                .findFirst()
                                .orElse(""))
                .orElse("");
        return Optional.of(
                wrong("Nothing moves because no enqueuer lives" + last + waiting(work), "Start one: staged-jobs run"));
    }

    private Optional<Finding> everythingPaused(Work work) {
        return work.pauses().stream()
                .filter(pause -> pause.topic().equals(ALL_TOPICS))
                .findFirst()
                .map(pause -> new Finding(
                        CHECK,
                        Verdict.WARNING,
                        "Nothing moves because an operator paused everything " + seconds(pause.seconds()) + " ago"
                                + waiting(work),
                        "To go on: staged-jobs resume"));
    }

    private Optional<Finding> halted(Work work) {
        List<Problem> halted = problems(work).filter(Problem::ofHaltedLane).toList();
        if (halted.isEmpty()) {
            return Optional.empty();
        }
        Problem first = halted.get(0);
        String others = halted.size() == 1
                ? ""
                : " (and " + (halted.size() - 1) + " more lanes of "
                        + work.lanes().size() + ")";
        return Optional.of(wrong(
                first.place() + others + " is halted since " + seconds(first.lastingSeconds()) + ": "
                        + withoutStop(first.reason()),
                "Nothing of it is published or deleted before a person has looked: see \"A lane is halted\" in"
                        + " operations.md. Where the database was restored on purpose, stop all enqueuers and run:"
                        + " staged-jobs migrate --change-delivery exactly-once"));
    }

    private Optional<Finding> away(Work work, @Nullable String kafkaAway) {
        Optional<Problem> told = told(work, "kafka");
        if (kafkaAway == null) {
            return told.map(problem -> wrong(
                    "Kafka does not take jobs since " + seconds(problem.lastingSeconds()) + ": "
                            + withoutStop(problem.reason()) + waiting(work),
                    "From here it answers: look at the network and the Kafka settings of that enqueuer. It goes on by"
                            + " itself"));
        }
        return Optional.of(wrong(
                "Nothing moves because Kafka cannot be reached"
                        + told.map(problem -> ", for an enqueuer since " + seconds(problem.lastingSeconds()))
                                .orElse("")
                        + ": " + withoutStop(kafkaAway) + waiting(work),
                "Start the brokers, or correct STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS and the other kafka.… settings."
                        + " Jobs stay staged, and the enqueuers go on by themselves"));
    }

    private Optional<Finding> postgresqlRefuses(Work work) {
        return Stream.of("postgresql", "enqueuer")
                .map(place -> told(work, place))
                .flatMap(Optional::stream)
                .findFirst()
                .map(problem -> wrong(
                        "An enqueuer does not get on since " + seconds(problem.lastingSeconds()) + ": "
                                + withoutStop(problem.reason()) + waiting(work),
                        "If it names who blocks, end that session: SELECT pg_terminate_backend(<pid>); else see its"
                                + " log"));
    }

    private Optional<Finding> nobodyOwns(Work work) {
        List<String> free = work.lanes().stream()
                .filter(lane -> lane.waits() && lane.owner() == null)
                .map(lane -> String.valueOf(lane.lane()))
                .toList();
        return free.isEmpty() || work.moves()
                ? Optional.empty()
                : Optional.of(wrong(
                        "Jobs wait in lanes that no enqueuer owns: " + String.join(", ", free),
                        "A living enqueuer takes them within takeover.after. If they stay free, see its log and"
                                + " restart it"));
    }

    private Optional<Finding> stuck(Work work) {
        return !work.waits() || work.moves() || work.oldestSeconds() < 1
                ? Optional.empty()
                : Optional.of(new Finding(
                        CHECK,
                        Verdict.WARNING,
                        "The oldest job waits for " + seconds(work.oldestSeconds())
                                + ", nothing moved while this was looked at, and no enqueuer says why",
                        "Ask again; if that repeats, see the log of " + names(work)));
    }

    private Optional<Finding> writerOpen(Work work) {
        return work.waits()
                ? Optional.empty()
                : work.writers().stream()
                        .filter(writer -> writer.seconds() != null
                                && writer.seconds() >= thresholds.writer().toSeconds())
                        .findFirst()
                        .map(writer -> new Finding(
                                CHECK,
                                Verdict.WARNING,
                                "Nothing that was committed waits, but a transaction that wrote jobs has been open for "
                                        + seconds(Objects.requireNonNull(writer.seconds())) + ": " + writer.who()
                                        + ". Its jobs are published after its commit, and nobody sees them before",
                                "Let the application commit, or end it, which rolls its jobs back: " + writer.end()));
    }

    /** Of what the living enqueuers say, what has lasted longest. */
    private static Optional<Problem> told(Work work, String place) {
        return problems(work)
                .filter(problem -> problem.place().equals(place))
                .max((one, other) -> Double.compare(one.lastingSeconds(), other.lastingSeconds()));
    }

    private static Stream<Problem> problems(Work work) {
        return work.living().flatMap(enqueuer -> enqueuer.problems().stream());
    }

    private static String names(Work work) {
        return work.living().map(Enqueuer::name).limit(NAMED_MAX).collect(Collectors.joining(", "));
    }

    private static String waiting(Work work) {
        return work.waits() ? "; the oldest job waits for " + seconds(work.oldestSeconds()) : "; nothing waits";
    }

    static Finding wrong(String seen, String fix) {
        return new Finding(CHECK, Verdict.WRONG, seen, fix);
    }

    static String withoutStop(String words) {
        return words.endsWith(".") ? words.substring(0, words.length() - 1) : words;
    }

    /** A span of time for people. */
    static String seconds(double seconds) {
        return seconds < 120
                ? String.format(Locale.ROOT, "%.0f s", seconds)
                : seconds < 7200
                        ? String.format(Locale.ROOT, "%.0f min", seconds / 60)
                        : String.format(Locale.ROOT, "%.0f h", seconds / 3600);
    }
}
