package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.assembly.DoctorAssembly;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.diagnosis.Doctor;
import io.stagedjobs.enqueuer.postgres.Status;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.postgres.StatusReader.Counters;
import io.stagedjobs.enqueuer.settings.Durations;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Stack;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** Prints what waits and who works, once or again and again; reads only. */
@Command(
        name = "status",
        description =
                "Shows the backlog, the oldest age, jobs moved aside, the lanes and their owners, and the enqueuers"
                        + " with their problems.",
        footer = {
            "  staged-jobs status",
            "  staged-jobs status --watch            # a screen; Ctrl-C ends it",
            "  staged-jobs status --watch 10s --json | jq --unbuffered .backlog"
        },
        mixinStandardHelpOptions = true)
final class StatusCommand extends DatabaseCommand {

    private static final int ENTRIES_MAX = 20;

    private static final String INTERVAL_DEFAULT = "2s";
    private static final Duration INTERVAL_MIN = Duration.ofMillis(200);
    private static final Duration INTERVAL_MAX = Duration.ofHours(1);

    /** Hundreds of millions of jobs can be counted meanwhile. */
    private static final Duration PATIENCE_OF_A_PERSON = Duration.ofMinutes(5);

    /** No count takes longer than half of that, but a lock may. */
    private static final Duration PATIENCE_OF_A_LOOK = Duration.ofSeconds(10);

    /** PostgreSQL ends the statement first. */
    private static final Duration SILENCE_MORE = Duration.ofSeconds(10);

    @Option(
            names = "--watch",
            arity = "0..1",
            paramLabel = "INTERVAL",
            preprocessor = IntervalByDefault.class,
            description = "refreshes every INTERVAL (" + INTERVAL_DEFAULT + " unless given) and adds rates and the time"
                    + " until nothing waits: a screen on a terminal, else a block of lines for each reading, with"
                    + " --json a line for each")
    private @Nullable String watch;

    @Option(names = "--json", description = Json.OPTION)
    private boolean json;

    @Option(
            names = "--exact",
            description = "counts all jobs, however many there are, which may take minutes; else large numbers are"
                    + " estimates")
    private boolean exact;

    /** The interval may be missing, even before another option; that option would otherwise be taken for it. */
    @SuppressWarnings("JdkObsolete") // the type of its parameter is picocli's
    static final class IntervalByDefault implements IParameterPreprocessor {
        @Override
        public boolean preprocess(Stack<String> args, CommandSpec command, ArgSpec option, Map<String, Object> info) {
            if (args.isEmpty() || !args.peek().matches("(?s)\\d.*")) {
                args.push(INTERVAL_DEFAULT);
            }
            return false;
        }
    }

    @Override
    void check() {
        if (watch != null && exact) {
            throw wrong("--watch and --exact exclude each other: an exact count may take minutes");
        }
    }

    private Duration interval(String text) {
        try {
            Duration interval = Durations.parse(text);
            if (interval.compareTo(INTERVAL_MIN) >= 0 && interval.compareTo(INTERVAL_MAX) <= 0) {
                return interval;
            }
        } catch (IllegalArgumentException e) {
            throw wrong("--watch is wrong: " + e.getMessage());
        }
        throw wrong("--watch is wrong: expected 200ms to 60m, got " + text);
    }

    @Override
    Connection connect(Settings settings) {
        return EnqueuerAssembly.connect(settings, PATIENCE_OF_A_PERSON.plus(SILENCE_MORE));
    }

    @Override
    void run(Connection connection, Schema schema, Settings settings) {
        StatusReader reader = new StatusReader(connection, schema);
        Duration takeoverAfter = settings.get(Setting.TAKEOVER_AFTER);
        Status status = exact
                ? reader.readExactly(takeoverAfter, PATIENCE_OF_A_PERSON)
                : reader.read(takeoverAfter, PATIENCE_OF_A_LOOK);
        if (json) {
            printJson(status);
        } else {
            new StatusReport(status, ENTRIES_MAX).all().forEach(out()::println);
        }
    }

    @Override
    public Integer call() throws SQLException {
        String every = watch;
        if (every == null) {
            return super.call();
        }
        check();
        Duration interval = interval(every);
        Settings settings = settings();
        new StatusWatch(out(), terminal(), interval, json, sentence(settings)).run(() -> read(settings));
        return 0;
    }

    /** Null if the settings name no Kafka, which the doctor would have to ask. */
    private static @Nullable Sentence sentence(Settings settings) {
        if (settings.find(Setting.KAFKA_BOOTSTRAP_SERVERS).isEmpty()) {
            return null;
        }
        Doctor doctor = DoctorAssembly.doctor(settings);
        return new Sentence(doctor::examine);
    }

    /** Each reading has a connection of its own, so that the watch survives a restart of PostgreSQL. */
    private static Reading read(Settings settings) {
        try (Connection connection = EnqueuerAssembly.connect(settings, PATIENCE_OF_A_LOOK.plus(SILENCE_MORE))) {
            StatusReader reader = new StatusReader(connection, EnqueuerAssembly.schema(settings));
            Status status = reader.read(settings.get(Setting.TAKEOVER_AFTER), PATIENCE_OF_A_LOOK);
            return new Reading(status, counters(reader), System.nanoTime());
        } catch (SQLException e) {
            throw new IllegalStateException("could not close the connection", e);
        }
    }

    private static @Nullable Counters counters(StatusReader reader) {
        try {
            return reader.counters(PATIENCE_OF_A_LOOK);
        } catch (ExternalFailureException withoutTheRight) {
            return null;
        }
    }
}
