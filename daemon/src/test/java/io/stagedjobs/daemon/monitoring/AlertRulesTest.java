package io.stagedjobs.daemon.monitoring;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The alert rules do what they say, and each leads an operator to a place in the documents. */
class AlertRulesTest {

    private static final Path RULES = Monitoring.FOLDER.resolve("alerts.yml");
    private static final Path TESTS = Monitoring.FOLDER.resolve("alerts.test.yml");
    private static final Path SCRAPE = Monitoring.FOLDER.resolve("prometheus.yml");

    private static String name(JsonNode alert) {
        return alert.get("alert").asText();
    }

    @Test
    void prometheus_accepts_its_configuration_and_the_rules() {
        Monitoring.promtool("check", "config", "--syntax-only", SCRAPE.toString());
        Monitoring.promtool("check", "rules", RULES.toString());
    }

    @Test
    void each_rule_fires_when_it_has_to_and_not_before() {
        Monitoring.promtool("test", "rules", TESTS.toString());
    }

    @Test
    void each_rule_has_a_test_that_fires_it_and_one_that_comes_close() throws IOException {
        Set<String> fired = new TreeSet<>();
        Set<String> silent = new TreeSet<>();
        Pattern tested = Pattern.compile("alertname=\"(\\w+)\"");
        Monitoring.yaml(TESTS).get("tests").forEach(group -> group.get("promql_expr_test")
                .forEach(test -> {
                    Matcher alert = tested.matcher(test.get("expr").asText());
                    assertThat(alert.find()).isTrue();
                    (test.get("exp_samples").isEmpty() ? silent : fired).add(alert.group(1));
                    if (!test.get("exp_samples").isEmpty() && group.has("input_series")) {
                        assertThat(group.get("input_series").findValuesAsText("series"))
                                .as("an outbox that comes close to " + alert.group(1))
                                .anyMatch(series -> series.contains("outbox=\"calm\""));
                    }
                }));
        List<String> names =
                Monitoring.alerts().stream().map(AlertRulesTest::name).toList();
        assertThat(names).hasSizeGreaterThan(10).doesNotHaveDuplicates();
        assertThat(fired).containsExactlyInAnyOrderElementsOf(names);
        assertThat(silent).containsExactlyInAnyOrderElementsOf(names);
    }

    @Test
    void each_alert_tells_what_happened_and_leads_to_the_page_that_says_what_to_do() throws IOException {
        Set<String> anchors = Monitoring.anchors(Monitoring.PROJECT.resolve("docs/operations.md"));
        for (JsonNode alert : Monitoring.alerts()) {
            JsonNode annotations = alert.get("annotations");
            assertThat(annotations.path("summary").asText()).as(name(alert)).isNotBlank();
            assertThat(annotations.path("description").asText())
                    .as(name(alert))
                    .hasSizeGreaterThan(50)
                    .endsWith(".");
            assertThat(annotations.path("runbook_url").asText()).as(name(alert)).startsWith("docs/operations.md#");
            assertThat(anchors)
                    .as(name(alert))
                    .contains(annotations.get("runbook_url").asText().replaceFirst(".*#", ""));
            assertThat(alert.at("/labels/severity").asText()).as(name(alert)).isIn("critical", "warning");
        }
    }

    @Test
    void the_table_of_meters_names_the_alerts_that_use_each_and_no_other() throws IOException {
        List<JsonNode> alerts = Monitoring.alerts();
        for (Monitoring.Meter meter : Monitoring.meters()) {
            List<String> using = alerts.stream()
                    .filter(alert -> Monitoring.metrics(alert.get("expr").asText()).stream()
                            .anyMatch(meter::has))
                    .map(AlertRulesTest::name)
                    .toList();
            assertThat(meter.alerts()).as("alerts of " + meter.names()).containsExactlyInAnyOrderElementsOf(using);
        }
    }

    @Test
    void the_rules_use_no_meter_that_the_table_lacks() throws IOException {
        List<Monitoring.Meter> meters = Monitoring.meters();
        assertThat(meters).hasSizeGreaterThan(10);
        List<String> unknown = new ArrayList<>();
        for (JsonNode alert : Monitoring.alerts()) {
            Monitoring.metrics(alert.get("expr").asText()).stream()
                    .filter(Predicate.not(Monitoring.UP::equals))
                    .filter(metric -> meters.stream().noneMatch(meter -> meter.has(metric)))
                    .forEach(metric -> unknown.add(name(alert) + ": " + metric));
        }
        assertThat(unknown).isEmpty();
    }

    @Test
    void the_page_for_operators_lists_each_alert() throws IOException {
        List<String> names =
                Monitoring.alerts().stream().map(AlertRulesTest::name).toList();
        List<String> told = Pattern.compile("(?m)^\\| `(StagedJobs\\w+)` \\|")
                .matcher(Files.readString(Monitoring.PROJECT.resolve("docs/operations.md")))
                .results()
                .map(row -> row.group(1))
                .toList();
        assertThat(told).containsExactlyElementsOf(names);
    }

    @Test
    void the_queries_name_the_enqueuers_as_the_configuration_does() throws IOException {
        JsonNode scrape = Monitoring.yaml(SCRAPE).get("scrape_configs").get(0);
        String job = "job=\"" + scrape.get("job_name").asText() + '"';
        assertThat(scrape.at("/static_configs/0/labels/outbox").asText()).isNotBlank();
        assertThat(Monitoring.alerts().stream().map(alert -> alert.get("expr").asText()))
                .filteredOn(query -> Monitoring.metrics(query).contains(Monitoring.UP))
                .hasSizeGreaterThanOrEqualTo(2)
                .allMatch(query -> query.contains(job));
        assertThat(Monitoring.queries())
                .filteredOn(query -> Monitoring.metrics(query).contains(Monitoring.UP))
                .allMatch(query -> query.contains(job));
    }
}
