package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.Meter;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The table of meters in docs/configuration.md is what the code registers: it lacks no row and has none too many. */
class MetersDocTest {

    private static final String HEAD = "| meter | at `/metrics` | type | unit | labels | meaning | alerts |";
    private static final Pattern TICKED = Pattern.compile("`([^`]+)`");

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);

    /** A row of the table. */
    private record Row(String name, Set<String> atMetrics, String type, String unit, Set<String> labels) {}

    @BeforeEach
    void register() {
        new Meters(registry, () -> 0, new Health(), System::nanoTime);
    }

    private static List<Row> rows() throws IOException {
        return Files.readAllLines(Path.of("../docs/configuration.md")).stream()
                .dropWhile(line -> !line.equals(HEAD))
                .skip(2)
                .takeWhile(line -> line.startsWith("|"))
                .map(line ->
                        Arrays.stream(line.split("\\|", -1)).map(String::strip).toList())
                .map(cells -> new Row(
                        cells.get(1).replace("`", ""),
                        ticked(cells.get(2)),
                        cells.get(3),
                        cells.get(4),
                        ticked(cells.get(5))))
                .toList();
    }

    private static Set<String> ticked(String cell) {
        return TICKED.matcher(cell).results().map(word -> word.group(1)).collect(Collectors.toCollection(TreeSet::new));
    }

    private List<Meter> named(String name) {
        return registry.getMeters().stream()
                .filter(meter -> meter.getId().getName().equals(name))
                .toList();
    }

    @Test
    void the_table_has_each_meter_once_and_no_other() throws IOException {
        Set<String> registered = registry.getMeters().stream()
                .map(meter -> meter.getId().getName())
                .collect(Collectors.toSet());
        assertThat(rows()).extracting(Row::name).containsExactlyInAnyOrderElementsOf(registered);
    }

    @Test
    void each_row_has_the_type_the_unit_and_the_labels_of_its_meter() throws IOException {
        for (Row row : rows()) {
            List<Meter> meters = named(row.name);
            assertThat(meters).as(row.name).isNotEmpty().allSatisfy(meter -> {
                assertThat(type(meter)).as("type of " + row.name).isEqualTo(row.type);
                String unit = meter.getId().getBaseUnit();
                assertThat(row.unit)
                        .as("unit of " + row.name)
                        .isNotBlank()
                        .matches(told -> unit == null ? !told.equals("seconds") : told.equals(unit));
            });
            assertThat(row.labels)
                    .as("labels of " + row.name)
                    .containsExactlyInAnyOrderElementsOf(meters.stream()
                            .flatMap(meter -> meter.getId().getTags().stream())
                            .flatMap(tag -> Stream.of(tag.getKey(), tag.getValue()))
                            .collect(Collectors.toSet()));
        }
    }

    private static String type(Meter meter) {
        return switch (meter.getId().getType()) {
            case COUNTER -> "counter";
            case GAUGE -> "gauge";
            case DISTRIBUTION_SUMMARY -> "summary";
            case TIMER -> "histogram";
            default -> throw new AssertionError(meter.getId());
        };
    }

    @Test
    void each_row_has_the_names_that_prometheus_reads() throws IOException {
        List<String> printed = Pattern.compile("(?m)^# TYPE (\\S+) ")
                .matcher(registry.scrape())
                .results()
                .map(match -> match.group(1))
                .toList();
        assertThat(rows().stream().flatMap(row -> row.atMetrics.stream())).containsExactlyInAnyOrderElementsOf(printed);
        assertThat(rows()).allSatisfy(row -> assertThat(row.atMetrics)
                .allMatch(name -> name.startsWith(row.name.replace('.', '_'))));
    }
}
