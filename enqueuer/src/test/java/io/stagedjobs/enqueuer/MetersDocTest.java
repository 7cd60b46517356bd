package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.Meter;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The meters in docs/configuration.md are those in the code. */
class MetersDocTest {

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);

    @BeforeEach
    void register() {
        new Meters(registry, () -> 0, () -> 0);
    }

    @Test
    void the_table_names_each_meter_and_no_other() throws IOException {
        Set<String> registered = registry.getMeters().stream()
                .map(Meter::getId)
                .map(Meter.Id::getName)
                .collect(Collectors.toSet());
        assertThat(inDocument("(?m)^\\| `(staged\\.jobs\\.[a-z.]+)` ")).containsExactlyInAnyOrderElementsOf(registered);
    }

    @Test
    void each_name_that_prometheus_reads_is_told() throws IOException {
        List<String> printed = Pattern.compile("(?m)^# TYPE (\\S+) ")
                .matcher(registry.scrape())
                .results()
                .map(match -> match.group(1))
                .toList();
        assertThat(printed).isNotEmpty();
        assertThat(inDocument("`(staged_jobs_[a-z_]+)`")).containsAll(printed);
    }

    private static List<String> inDocument(String pattern) throws IOException {
        return Pattern.compile(pattern)
                .matcher(Files.readString(Path.of("../docs/configuration.md")))
                .results()
                .map(match -> match.group(1))
                .toList();
    }
}
