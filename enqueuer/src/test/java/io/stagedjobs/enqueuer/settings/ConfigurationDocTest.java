package io.stagedjobs.enqueuer.settings;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.kafka.KafkaProperties;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** docs/configuration.md is the only list of settings; it says what the code says. */
class ConfigurationDocTest {

    private static final Path DOCUMENT = Path.of("../docs/configuration.md");

    @Test
    void the_table_of_settings_is_the_one_in_the_code() throws IOException {
        List<List<String>> told = table("| key | meaning | expected | default |").stream()
                .map(row -> List.of(withoutTicks(row.get(0)), row.get(1), row.get(2), withoutTicks(row.get(3))))
                .toList();
        List<List<String>> known = Setting.ALL.stream()
                .map(setting -> List.of(
                        setting.key(),
                        setting.meaning(),
                        setting.expected(),
                        setting.defaultText() == null ? "–" : setting.defaultText()))
                .toList();
        assertThat(told).containsExactlyElementsOf(known);
    }

    @Test
    void every_setting_says_when_to_change_it() throws IOException {
        assertThat(table("| key | meaning | expected | default |"))
                .allSatisfy(row -> assertThat(row.get(4)).isNotBlank());
    }

    @Test
    void the_kafka_properties_that_are_fixed_are_told_with_their_reasons() throws IOException {
        Map<String, String> told = table("| property | why it cannot be changed |").stream()
                .collect(Collectors.toMap(row -> withoutTicks(row.get(0)), row -> row.get(1)));
        Map<String, String> fixed = KafkaProperties.PASSTHROUGH.fixed().entrySet().stream()
                .collect(Collectors.toMap(
                        entry -> KafkaProperties.PASSTHROUGH.prefix() + entry.getKey(), Map.Entry::getValue));
        assertThat(told).isEqualTo(fixed);
    }

    /** The rows of the table whose head begins like this, cell by cell. */
    private static List<List<String>> table(String head) throws IOException {
        List<List<String>> rows = Files.readAllLines(DOCUMENT).stream()
                .dropWhile(line -> !line.startsWith(head))
                .takeWhile(line -> line.startsWith("|"))
                .skip(2)
                .map(line -> Arrays.stream(line.split("\\|", -1))
                        .skip(1)
                        .map(String::strip)
                        .toList())
                .toList();
        assertThat(rows).isNotEmpty();
        return rows;
    }

    private static String withoutTicks(String cell) {
        return cell.replace("`", "");
    }
}
