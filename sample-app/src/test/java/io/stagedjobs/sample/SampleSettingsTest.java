package io.stagedjobs.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.sample.SampleSettings.InvalidSettingsException;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SampleSettingsTest {

    private static final Map<String, String> REQUIRED = Map.of(
            "SAMPLE_DATABASE_URL", "jdbc:postgresql://localhost/sample",
            "SAMPLE_DATABASE_USERNAME", "app",
            "SAMPLE_DATABASE_PASSWORD", "hush",
            "SAMPLE_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092");

    @Test
    void four_settings_are_required_and_the_others_have_defaults() {
        SampleSettings settings = SampleSettings.from(REQUIRED);

        assertThat(settings.httpHost()).isEqualTo("127.0.0.1");
        assertThat(settings.httpPort()).isEqualTo(8080);
        assertThat(settings.failuresAllowed()).isFalse();
        assertThat(settings.contractsUrl()).isNull();
        assertThat(settings.toString()).doesNotContain("hush");
    }

    @Test
    void everything_that_is_missing_is_named_at_once() {
        assertThatThrownBy(() -> SampleSettings.from(Map.of("PATH", "/bin")))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessageContainingAll(REQUIRED.keySet().toArray(new String[0]));
    }

    @ParameterizedTest
    @CsvSource({
        "SAMPLE_HTTP_PORT, 65536, expected a port",
        "SAMPLE_HTTP_PORT, http, expected a port",
        "SAMPLE_FAILURES, yes, expected \"allowed\"",
        "SAMPLE_DATABASE_URL, postgres://localhost/sample, jdbc:postgresql:",
        "SAMPLE_CONTRACTS_URL, host:8080, expected scheme",
        "SAMPLE_CONTRACTS_URL, http://host:8080/path, expected scheme",
        "SAMPLE_FAILURE, allowed, is not known",
    })
    void a_wrong_value_is_refused_with_what_was_expected(String variable, String value, String expected) {
        Map<String, String> environment = new HashMap<>(REQUIRED);
        environment.put(variable, value);

        assertThatThrownBy(() -> SampleSettings.from(environment))
                .isInstanceOf(InvalidSettingsException.class)
                .hasMessageContainingAll(variable + ": ", expected);
    }
}
