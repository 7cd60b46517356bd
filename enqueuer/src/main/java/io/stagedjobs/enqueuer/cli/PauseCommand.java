package io.stagedjobs.enqueuer.cli;

import io.stagedjobs.enqueuer.Membership;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.postgres.PausedTopics;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Pauses publishing, of everything or of one topic; {@link Resume} ends that. */
@Command(
        name = "pause",
        description = "Stops publishing, of everything or of one topic, until `resume`. Jobs can be staged meanwhile.",
        mixinStandardHelpOptions = true)
class PauseCommand implements Callable<Integer> {

    @Spec
    @SuppressWarnings("NullAway.Init")
    CommandSpec spec;

    @Option(names = "--topic", paramLabel = "TOPIC", description = "only this topic: its jobs are held aside")
    @Nullable
    String topic;

    @Override
    public Integer call() throws SQLException {
        if (topic != null && !topic.matches("[A-Za-z0-9._-]{1,249}")) {
            throw new SettingsException(
                    List.of(
                            "--topic is wrong: \"" + Cli.printable(topic)
                                    + "\" is not a topic's name; expected letters, digits, dots, underscores and hyphens, 249 at most"));
        }
        Settings settings = Cli.settings(spec);
        try (Connection connection = EnqueuerAssembly.connect(settings)) {
            PausedTopics paused = new PausedTopics(connection, EnqueuerAssembly.schema(settings));
            spec.commandLine()
                    .getOut()
                    .println(change(
                            paused,
                            topic == null ? Membership.ALL_TOPICS : topic,
                            topic == null ? "everything" : "topic " + topic,
                            settings.get(Setting.HEARTBEAT_INTERVAL).toMillis()));
        }
        return 0;
    }

    String change(PausedTopics paused, String name, String words, long withinMillis) {
        return paused.pause(name)
                ? "paused " + words + "; running enqueuers follow within " + withinMillis + " ms"
                : words + " was paused already";
    }

    /** Ends a pause. */
    @Command(
            name = "resume",
            description = "Ends a pause of everything or of one topic; held jobs return in order.",
            mixinStandardHelpOptions = true)
    static final class Resume extends PauseCommand {
        @Override
        String change(PausedTopics paused, String name, String words, long withinMillis) {
            return paused.resume(name)
                    ? "resumed " + words + "; running enqueuers follow within " + withinMillis + " ms"
                    : words + " was not paused";
        }
    }
}
