package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import io.stagedjobs.enqueuer.postgres.ParkedJobs;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Entry;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Selection;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.sql.Connection;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows one job that was moved aside. */
@Command(
        name = "show",
        description = "Shows one job that was moved aside; its payload only on request.",
        footer = {"  staged-jobs parked show 17", "  staged-jobs parked show 17 --payload --json | jq .payload.text"},
        mixinStandardHelpOptions = true)
final class ParkedShowCommand extends DatabaseCommand {

    @Parameters(paramLabel = "ID", description = "the job's id, as `parked list` shows it")
    private long id;

    @Option(names = "--payload", description = "prints the payload too, as text, or in hexadecimal if it is none")
    private boolean payload;

    @Option(names = "--json", description = Json.OPTION)
    private boolean json;

    /** @param payload null for a tombstone, and unless it was asked for */
    private record Shown(@JsonUnwrapped Entry job, @Nullable Payload payload) {}

    /** @param text null if it is not UTF-8 */
    private record Payload(String base64, @Nullable String text) {}

    @Override
    void run(Connection connection, Schema schema, Settings settings) {
        ParkedJobs parked = new ParkedJobs(connection, schema);
        List<Entry> found = parked.list(new Selection(List.of(id), null, null, null), 1);
        if (found.isEmpty()) {
            throw new CommandFailedException(
                    "no job with id " + id + " is moved aside. `staged-jobs parked list` shows those that are.", null);
        }
        Entry job = found.get(0);
        Optional<byte[]> bytes = payload ? parked.payload(id) : Optional.empty();
        if (json) {
            printJson(new Shown(
                    job,
                    bytes.map(content -> new Payload(Base64.getEncoder().encodeToString(content), text(content)))
                            .orElse(null)));
            return;
        }
        line("id", String.valueOf(job.id()));
        line("job id", job.jobId());
        line("state", job.state());
        line("reason", job.reason());
        line("error", job.error());
        line("topic", job.topic());
        line("key", job.key());
        line("name", job.name());
        line("headers", job.headers());
        line("staged at", job.stagedAt());
        line("moved at", job.parkedAt());
        line("payload", job.payloadBytes() == null ? "none (a tombstone)" : job.payloadBytes() + " bytes");
        bytes.ifPresent(content -> {
            String text = text(content);
            out().println(text == null ? HexFormat.of().formatHex(content) : Cli.printable(text));
        });
    }

    private void line(String name, @Nullable String value) {
        if (value != null) {
            out().printf("%-10s %s%n", name, Cli.printable(value));
        }
    }

    private static @Nullable String text(byte[] bytes) {
        try {
            return UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }
}
