package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.Membership;
import io.stagedjobs.enqueuer.postgres.PausedTopics;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Pauses publishing, of everything or of one topic; {@link Resume} ends that. */
@Command(
        name = "pause",
        description = "Stops publishing, of everything or of one topic, until `resume`. Jobs can be staged meanwhile.",
        mixinStandardHelpOptions = true)
class PauseCommand extends DatabaseCommand {

    @Option(names = "--topic", paramLabel = "TOPIC", description = "only this topic: its jobs are held aside")
    @Nullable
    String topic;

    @Override
    void check() {
        if (topic != null && !topic.matches("[A-Za-z0-9._-]{1,249}")) {
            throw wrong("--topic is wrong: \"" + Cli.printable(topic)
                    + "\" is not a topic's name; expected letters, digits, dots, underscores and hyphens, 249 at most");
        }
    }

    @Override
    void run(Connection connection, Schema schema, Settings settings) {
        out().println(change(
                new PausedTopics(connection, schema),
                topic == null ? Membership.ALL_TOPICS : topic,
                topic == null ? "everything" : "topic " + topic,
                settings.get(Setting.HEARTBEAT_INTERVAL).toMillis()));
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
