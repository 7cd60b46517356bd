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
        description = "Stops publishing, of everything or of one topic, until `resume`. Applications can stage jobs"
                + " meanwhile.",
        footer = {"  staged-jobs pause", "  staged-jobs pause --topic orders"},
        mixinStandardHelpOptions = true)
class PauseCommand extends DatabaseCommand {

    @Option(names = "--topic", paramLabel = "TOPIC", description = "only this topic, whose jobs are then held")
    @Nullable
    String topic;

    @Option(names = "--json", description = Json.OPTION)
    private boolean json;

    /**
     * The result.
     *
     * @param topic {@code *} for everything
     * @param paused whether it is paused now
     * @param changed false if it was so already
     */
    private record Result(String topic, boolean paused, boolean changed) {}

    @Override
    void check() {
        if (topic != null && !topic.matches("[A-Za-z0-9._-]{1,249}")) {
            throw wrong("--topic is wrong: \"" + Cli.printable(topic)
                    + "\" is not a topic's name; expected letters, digits, dots, underscores and hyphens, 249 at most");
        }
    }

    @Override
    void run(Connection connection, Schema schema, Settings settings) {
        String name = topic == null ? Membership.ALL_TOPICS : topic;
        boolean changed = change(new PausedTopics(connection, schema), name);
        if (json) {
            printJson(new Result(name, pauses(), changed));
        } else {
            String words = topic == null ? "everything" : "topic " + topic;
            out().println(
                            changed
                                    ? verb() + " " + words + "; running enqueuers follow within "
                                            + settings.get(Setting.HEARTBEAT_INTERVAL)
                                                    .toMillis() + " ms"
                                    : words + " was " + (pauses() ? "paused already" : "not paused"));
        }
    }

    /** Whether this command begins a pause. */
    boolean pauses() {
        return true;
    }

    private String verb() {
        return pauses() ? "paused" : "resumed";
    }

    /** Returns false if nothing had to change. */
    boolean change(PausedTopics paused, String name) {
        return paused.pause(name);
    }

    /** Ends a pause. */
    @Command(
            name = "resume",
            description = "Ends a pause, of everything or of one topic; held jobs return in order.",
            footer = {"  staged-jobs resume", "  staged-jobs resume --topic orders"},
            mixinStandardHelpOptions = true)
    static final class Resume extends PauseCommand {

        @Override
        boolean pauses() {
            return false;
        }

        @Override
        boolean change(PausedTopics paused, String name) {
            return paused.resume(name);
        }
    }
}
