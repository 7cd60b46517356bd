package io.stagedjobs.spring;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.settings.Setting;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.springframework.boot.configurationmetadata.ConfigurationMetadataProperty;
import org.springframework.boot.configurationmetadata.ConfigurationMetadataRepositoryJsonBuilder;

/** What an editor shows of our properties is what the code reads. */
class ConfigurationMetadataTest {

    private static final Set<String> OF_A_PROCESS =
            Set.of("admin.host", "admin.port", "admin.token", "admin.token.readonly", "database.schema");

    private static Map<String, ConfigurationMetadataProperty> properties() throws IOException {
        try (InputStream json =
                StagedJobsProperties.class.getResourceAsStream("/META-INF/spring-configuration-metadata.json")) {
            return ConfigurationMetadataRepositoryJsonBuilder.create(json)
                    .build()
                    .getAllProperties();
        }
    }

    @Test
    void each_property_is_described() throws IOException {
        assertThat(properties())
                .containsKeys("staged-jobs.schema", "staged-jobs.wake-up", "staged-jobs.migrate")
                .allSatisfy((name, property) -> {
                    assertThat(property.getDescription()).as(name).isNotBlank();
                    assertThat(property.getType()).as(name).isNotBlank();
                });
        assertThat(properties().get("staged-jobs.schema").getDefaultValue()).isEqualTo("public");
        assertThat(properties().get("staged-jobs.wake-up").getDefaultValue()).isEqualTo(true);
    }

    @Test
    void the_enqueuers_settings_are_those_of_every_enqueuer() throws IOException {
        Map<String, String> told = new TreeMap<>();
        properties().forEach((name, property) -> {
            if (name.startsWith(EnqueuerSettings.PREFIX)) {
                told.put(
                        name.substring(EnqueuerSettings.PREFIX.length()),
                        property.getDescription() + " Default: " + property.getDefaultValue());
            }
        });
        Set<String> ours = new TreeSet<>(Set.of("enabled", "database.password.file"));
        List<Setting<?>> known = Setting.ALL.stream()
                .filter(setting -> !OF_A_PROCESS.contains(setting.key()))
                .toList();
        ours.addAll(known.stream().map(Setting::key).collect(Collectors.toSet()));
        assertThat(told.keySet()).isEqualTo(ours);
        assertThat(known).allSatisfy(setting -> assertThat(told.get(setting.key()))
                .startsWith(capitalized(setting.meaning()) + ": " + setting.expected() + ".")
                .endsWith(" Default: " + setting.defaultText()));
    }

    private static String capitalized(String text) {
        return text.substring(0, 1).toUpperCase(java.util.Locale.ROOT) + text.substring(1);
    }
}
