package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** Every document that a command prints has the shape of its example in docs/cli.md. */
class JsonShapesTest {

    private static final Path DOCUMENT = Path.of("../docs/cli.md");
    private static final Pattern EXAMPLE = Pattern.compile("```json ([^\\n]+)\\n(.*?)\\n```", Pattern.DOTALL);

    /** By the arguments of their command, in the order of the document. */
    private static Map<String, JsonNode> examples;

    private static TestOutbox outbox;
    private static Map<String, String> environment;

    @BeforeAll
    static void open() throws Exception {
        examples = new LinkedHashMap<>();
        for (var example :
                EXAMPLE.matcher(Files.readString(DOCUMENT, UTF_8)).results().toList()) {
            examples.put(example.group(1), new JsonMapper().readTree(example.group(2)));
        }
        outbox = new TestOutbox("shapes");
        environment = Command.with(
                Command.environment(outbox),
                "STAGED_JOBS_TAKEOVER_AFTER",
                "10m", // no enqueuer writes heartbeats here
                "STAGED_JOBS_HEARTBEAT_INTERVAL",
                "2s");
        outbox.dsl()
                .execute("INSERT INTO parked_jobs (lane, id, job_id, topic, job_key, job_name, payload, headers,"
                        + " staged_at, state, reason, error) SELECT 0, n, gen_random_uuid(), 'orders', 'k' || n, 'n',"
                        + " '{}', '{\"h\": \"v\"}', now(), 'parked', 'too large', 'what Kafka said'"
                        + " FROM generate_series(17, 20) AS n");
        outbox.dsl().execute("SELECT setval('staged_jobs_id_seq', 20)");
    }

    @AfterAll
    static void close() throws Exception {
        outbox.close();
    }

    /** Before the first command that shows an enqueuer: a drain would wait for it to publish. */
    private static void addEnqueuer() {
        outbox.dsl()
                .execute("INSERT INTO staged_job_enqueuers (enqueuer, name, delivery, problems)"
                        + " VALUES ('00000000-0000-0000-0000-000000000001', 'host:1', 'exactly-once', '[{\"place\":"
                        + " \"lane 0\", \"reason\": \"why\", \"since\": \"2026-01-01T00:00:00Z\"}]')");
        outbox.dsl()
                .execute("UPDATE staged_job_lanes SET owner = '00000000-0000-0000-0000-000000000001',"
                        + " generation = 1 WHERE lane = 0");
        outbox.dsl().execute("INSERT INTO staged_job_batches (lane, batch) VALUES (0, 17)");
        outbox.dsl().execute("INSERT INTO staged_job_pauses (topic) VALUES ('orders') ON CONFLICT DO NOTHING");
        outbox.stage("orders", "k", "waits");
    }

    @Test
    void each_document_has_the_names_and_types_of_its_example() throws Exception {
        for (String command : examples.keySet()) {
            if (command.startsWith("status")) {
                outbox.dsl().execute("DELETE FROM staged_job_batches");
                outbox.dsl().execute("DELETE FROM staged_job_enqueuers");
                addEnqueuer();
            }
            JsonNode printed = printed(command);
            assertSameShape(examples.get(command), printed, command);
        }
    }

    private static JsonNode printed(String command) throws Exception {
        if (!command.contains("--watch")) {
            Command.Answer answer = Command.run(environment, command.split(" "));
            assertThat(answer.out().lines()).as(command + answer.err()).hasSize(1);
            return new JsonMapper().readTree(answer.out());
        }
        try (Command.Running watch = new Command.Running(environment, Terminal.NONE, command.split(" "))) {
            Eventually.until("there are two readings", () -> watch.out().lines().count() >= 2);
            return new JsonMapper().readTree(watch.out().lines().toList().get(1));
        }
    }

    private static void assertSameShape(JsonNode example, JsonNode printed, String place) {
        if (example.isNull() || printed.isNull()) {
            return;
        }
        if (example.isArray()) {
            assertThat(printed.isArray() && !printed.isEmpty())
                    .as(place + " has entries")
                    .isTrue();
            printed.forEach(entry -> assertSameShape(example.get(0), entry, place + "[]"));
            return;
        }
        assertThat(printed.getNodeType()).as(place).isEqualTo(example.getNodeType());
        if (example.isObject()) {
            assertThat(names(printed)).as(place).isEqualTo(names(example));
            names(example).forEach(name -> assertSameShape(example.get(name), printed.get(name), place + "." + name));
        }
    }

    private static Set<String> names(JsonNode object) {
        Set<String> names = new TreeSet<>();
        object.fieldNames().forEachRemaining(names::add);
        return names;
    }

    @Test
    void every_command_that_prints_documents_has_an_example() {
        PrintWriter nowhere = new PrintWriter(new StringWriter());
        List<String> commands = new ArrayList<>();
        collect(Cli.line(Map.of(), nowhere, nowhere, Terminal.NONE), commands);
        assertThat(commands).hasSizeGreaterThan(10).allSatisfy(command -> assertThat(examples.keySet())
                .anyMatch(example -> ("staged-jobs " + example).startsWith(command + " ")));
    }

    private static void collect(CommandLine command, List<String> names) {
        if (command.getCommandSpec().findOption("--json") != null) {
            names.add(command.getCommandSpec().qualifiedName());
        }
        command.getSubcommands().values().forEach(inside -> collect(inside, names));
    }
}
