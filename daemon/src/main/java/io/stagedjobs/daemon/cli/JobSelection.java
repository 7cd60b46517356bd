package io.stagedjobs.daemon.cli;

import io.stagedjobs.enqueuer.postgres.ParkedJobs.Selection;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** The options for a topic and a key. */
final class JobSelection {

    @Option(names = "--topic", paramLabel = "TOPIC", description = "only jobs of this topic")
    private @Nullable String topic;

    @Option(names = "--key", paramLabel = "KEY", description = "only jobs of this key; needs --topic")
    private @Nullable String key;

    boolean isEmpty() {
        return topic == null && key == null;
    }

    /** @throws ParameterException of {@code command}, if the options make no sense together */
    void check(DatabaseCommand command, @Nullable String state) {
        if (state != null && !List.of("held", "parked").contains(state)) {
            throw command.wrong("--state is wrong: expected held or parked, got \"" + Cli.printable(state) + "\"");
        }
        if (key != null && topic == null) {
            throw command.wrong("--key needs --topic: a key belongs to one topic");
        }
    }

    Selection with(List<Long> ids, @Nullable String state) {
        return new Selection(ids, state, topic, key);
    }
}
