package io.stagedjobs.daemon.monitoring;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Grafana loads: without a Grafana, as far as its files can be checked. */
class DashboardTest {

    private static final Path GRAFANA = Monitoring.FOLDER.resolve("grafana");
    private static final int WIDTH = 24;

    @TempDir
    private Path directory;

    private static List<JsonNode> panels() throws IOException {
        List<JsonNode> panels = new ArrayList<>();
        Monitoring.dashboard().get("panels").forEach(panels::add);
        return panels;
    }

    private static List<JsonNode> withData() throws IOException {
        return panels().stream()
                .filter(panel -> !panel.get("type").asText().equals("row"))
                .toList();
    }

    @Test
    void prometheus_understands_each_query() throws IOException {
        List<String> queries = new ArrayList<>(Monitoring.queries());
        Monitoring.dashboard().at("/annotations/list").findValuesAsText("expr").forEach(queries::add);
        List<Map<String, String>> rules = IntStream.range(0, queries.size())
                .mapToObj(i -> Map.of(
                        "record",
                        "query:" + i,
                        "expr",
                        queries.get(i).replace("$__rate_interval", "1m").replaceAll("\\$(outbox|instance)", ".*")))
                .toList();
        assertThat(rules).hasSizeGreaterThan(20).noneMatch(rule -> rule.get("expr")
                .contains("$"));
        Path file = directory.resolve("queries.json"); // JSON is YAML
        new JsonMapper()
                .writeValue(file.toFile(), Map.of("groups", List.of(Map.of("name", "dashboard", "rules", rules))));
        Monitoring.promtool("check", "rules", file.toString());
    }

    @Test
    void each_panel_has_a_title_a_description_and_queries_of_the_chosen_data_source() throws IOException {
        assertThat(withData()).hasSizeGreaterThan(15).allSatisfy(panel -> {
            assertThat(panel.path("title").asText()).isNotBlank();
            assertThat(panel.path("description").asText())
                    .as(panel.get("title").asText())
                    .isNotBlank();
            assertThat(panel.at("/datasource/uid").asText()).isEqualTo("${datasource}");
            assertThat(panel.get("targets")).isNotEmpty().allSatisfy(target -> {
                assertThat(target.at("/datasource/uid").asText()).isEqualTo("${datasource}");
                assertThat(target.get("expr").asText()).contains("outbox=~\"$outbox\"");
            });
        });
        assertThat(Monitoring.dashboard().at("/templating/list").findValuesAsText("name"))
                .containsExactly("datasource", "outbox", "instance");
    }

    @Test
    void panels_have_ids_of_their_own_and_do_not_overlap() throws IOException {
        Set<Integer> ids = new HashSet<>();
        Set<String> taken = new HashSet<>();
        for (JsonNode panel : panels()) {
            assertThat(ids.add(panel.get("id").asInt()))
                    .as("id of " + panel.get("title"))
                    .isTrue();
            JsonNode place = panel.get("gridPos");
            assertThat(place.get("x").asInt() + place.get("w").asInt()).isLessThanOrEqualTo(WIDTH);
            for (int x = 0; x < place.get("w").asInt(); x++) {
                for (int y = 0; y < place.get("h").asInt(); y++) {
                    String cell =
                            (place.get("x").asInt() + x) + "/" + (place.get("y").asInt() + y);
                    assertThat(taken.add(cell))
                            .as(panel.get("title") + " at " + cell)
                            .isTrue();
                }
            }
        }
    }

    @Test
    void the_dashboard_shows_each_meter_of_the_table() throws IOException {
        Set<String> shown = Monitoring.queries().stream()
                .flatMap(query -> Monitoring.metrics(query).stream())
                .collect(Collectors.toCollection(TreeSet::new));
        assertThat(Monitoring.meters()).allSatisfy(meter -> assertThat(shown).anyMatch(meter::has));
    }

    /** The paths in the files of the folder are those that docker-compose.yml mounts. */
    @Test
    void compose_mounts_each_file_where_prometheus_and_grafana_look_for_it() throws IOException {
        JsonNode compose = Monitoring.yaml(Monitoring.PROJECT.resolve("docker-compose.yml"));
        JsonNode prometheus = compose.at("/services/prometheus");
        JsonNode grafana = compose.at("/services/grafana");
        assertThat(prometheus.at("/profiles/0").asText()).isEqualTo("monitoring");
        assertThat(grafana.at("/profiles/0").asText()).isEqualTo("monitoring");
        for (JsonNode service : List.of(prometheus, grafana)) {
            assertThat(service.get("image").asText()).matches("[a-z]+/[a-z]+:v?[0-9]+\\.[0-9]+\\.[0-9]+");
            assertThat(service.get("ports")).allMatch(port -> port.asText().startsWith("127.0.0.1:"));
        }
        Stream.of(prometheus, grafana)
                .flatMap(service -> texts(service.get("volumes")).stream())
                .filter(volume -> volume.startsWith("./"))
                .map(volume -> Monitoring.PROJECT.resolve(volume.split(":", -1)[0]))
                .forEach(mounted -> assertThat(mounted).exists());
        Path etc = Path.of("/etc/prometheus");
        JsonNode scrape = Monitoring.yaml(Monitoring.FOLDER.resolve("prometheus.yml"));
        assertThat(texts(prometheus.get("volumes")))
                .contains(
                        "./monitoring/prometheus.yml:" + etc.resolve("prometheus.yml") + ":ro",
                        "./monitoring/alerts.yml:"
                                + etc.resolve(scrape.at("/rule_files/0").asText()) + ":ro");
        assertThat(prometheus.get("configs").findValuesAsText("target"))
                .containsExactly(etc.resolve(scrape.at("/scrape_configs/0/authorization/credentials_file")
                                .asText())
                        .toString());
        assertThat(texts(grafana.get("volumes")))
                .contains(
                        "./monitoring/grafana/provisioning:/etc/grafana/provisioning:ro",
                        "./monitoring/grafana/dashboards:"
                                + Monitoring.yaml(GRAFANA.resolve("provisioning/dashboards/staged-jobs.yml"))
                                        .at("/providers/0/options/path")
                                        .asText()
                                + ":ro");
        assertThat(Monitoring.yaml(GRAFANA.resolve("provisioning/datasources/prometheus.yml"))
                        .at("/datasources/0/url")
                        .asText())
                .isEqualTo("http://prometheus:9090");
    }

    private static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(text -> texts.add(text.asText()));
        return texts;
    }

    @Test
    void no_file_holds_a_token_of_somebody() throws IOException {
        assertThat(Files.readString(Monitoring.PROJECT.resolve(".gitignore")))
                .contains("monitoring/admin-token-readonly");
    }
}
