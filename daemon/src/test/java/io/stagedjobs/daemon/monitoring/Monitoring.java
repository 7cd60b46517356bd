package io.stagedjobs.daemon.monitoring;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Tools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the folder monitoring contains, and the documents about it. */
final class Monitoring {

    static final Path PROJECT = Path.of("..").toAbsolutePath().normalize();
    static final Path FOLDER = PROJECT.resolve("monitoring");

    /** What Prometheus itself knows of each target. */
    static final String UP = "up";

    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final Pattern NO_NAMES = Pattern.compile("\"[^\"]*\"|\\{[^}]*\\}|\\[[^\\]]*\\]"
            + "|\\b(by|without|on|ignoring|group_left|group_right)\\s*\\([^)]*\\)"
            + "|\\b(and|or|unless|bool|offset)\\b|\\b[0-9][0-9a-z.]*");
    private static final Pattern NAME = Pattern.compile("[a-zA-Z_:][a-zA-Z0-9_:]*(?!\\w|\\s*\\()");
    private static final String METERS = "| meter | at `/metrics` | type | unit | labels | meaning | alerts |";

    private Monitoring() {}

    /**
     * A row of the table of meters.
     *
     * @param names those that the table gives, without what Prometheus appends for histograms and summaries
     */
    record Meter(Set<String> names, Set<String> alerts) {

        /** Whether a metric that a query names is this meter's. */
        boolean has(String metric) {
            String histogram = metric.replaceFirst("_(bucket|count|sum)$", "");
            return names.contains(metric) || names.contains(histogram);
        }
    }

    static JsonNode yaml(Path file) throws IOException {
        return new YAMLMapper().readTree(file.toFile());
    }

    static JsonNode dashboard() throws IOException {
        return new JsonMapper()
                .readTree(FOLDER.resolve("grafana/dashboards/staged-jobs.json").toFile());
    }

    /** The alerts, in their order. */
    static List<JsonNode> alerts() throws IOException {
        List<JsonNode> alerts = new ArrayList<>();
        yaml(FOLDER.resolve("alerts.yml")).get("groups").forEach(group -> group.get("rules")
                .forEach(alerts::add));
        return alerts;
    }

    /** The queries of the dashboard's panels. */
    static List<String> queries() throws IOException {
        return dashboard().get("panels").findValuesAsText("expr");
    }

    /** The metrics that a query names. */
    static Set<String> metrics(String query) {
        return NAME.matcher(NO_NAMES.matcher(query).replaceAll(" "))
                .results()
                .map(name -> name.group())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The metrics that alerts and dashboard name. */
    static Set<String> allMetrics() throws IOException {
        return Stream.concat(alerts().stream().map(alert -> alert.get("expr").asText()), queries().stream())
                .flatMap(query -> metrics(query).stream())
                .filter(Predicate.not(UP::equals))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The table of meters in docs/configuration.md. */
    static List<Meter> meters() throws IOException {
        return Files.readAllLines(PROJECT.resolve("docs/configuration.md")).stream()
                .dropWhile(line -> !line.equals(METERS))
                .skip(2)
                .takeWhile(line -> line.startsWith("|"))
                .map(line -> line.split("\\|", -1))
                .map(cells -> new Meter(ticked(cells[2]), ticked(cells[7])))
                .toList();
    }

    private static Set<String> ticked(String cell) {
        return Pattern.compile("`([^`]+)`")
                .matcher(cell)
                .results()
                .map(word -> word.group(1))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The anchors that a page has on GitHub. */
    static Set<String> anchors(Path page) throws IOException {
        return Files.readAllLines(page).stream()
                .filter(line -> line.matches("#+ .*"))
                .map(line -> line.replaceFirst("#+ ", "")
                        .toLowerCase(Locale.ROOT)
                        .replaceAll("[^\\w\\- ]", "")
                        .replace(' ', '-'))
                .collect(Collectors.toSet());
    }

    /** Runs promtool, which has to be content. */
    static void promtool(String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Tools.require("promtool").toString());
        command.addAll(Arrays.asList(arguments));
        try (ChildProcess promtool = ChildProcess.start("promtool", command, Map.of())) {
            int exitCode = promtool.awaitExit(PATIENCE);
            if (exitCode != 0) {
                throw new AssertionError(String.join(" ", command) + " ended with " + exitCode + ":\n"
                        + String.join("\n", promtool.output()));
            }
        }
    }
}
