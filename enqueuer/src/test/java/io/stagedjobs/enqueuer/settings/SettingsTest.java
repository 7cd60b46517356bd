package io.stagedjobs.enqueuer.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.enqueuer.kafka.KafkaProperties;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {

    @TempDir
    private Path directory;

    private String file(String name, String content) throws IOException {
        return Files.writeString(directory.resolve(name), content).toString();
    }

    private static Settings read(Map<String, String> flags, Map<String, String> environment) {
        return Settings.read(flags, environment, KafkaProperties.PASSTHROUGH);
    }

    private static Settings of(Map<String, String> texts, String prefix) {
        return Settings.of(texts, prefix, KafkaProperties.PASSTHROUGH);
    }

    @Test
    void flags_are_stronger_than_the_environment_and_that_than_the_file_and_that_than_the_defaults()
            throws IOException {
        String file = file("p", "batch.size=1\nbatch.bytes=2000\ndatabase.schema=from_file\n");
        Settings settings = read(
                Map.of("batch.size", "3", "config.file", file),
                Map.of("STAGED_JOBS_BATCH_SIZE", "2", "STAGED_JOBS_BATCH_BYTES", "3000", "PATH", "/bin"));
        assertThat(settings.get(Setting.BATCH_SIZE)).isEqualTo(3);
        assertThat(settings.get(Setting.BATCH_BYTES)).isEqualTo(3000);
        assertThat(settings.get(Setting.DATABASE_SCHEMA)).isEqualTo("from_file");
        assertThat(settings.get(Setting.POLL_INTERVAL)).isEqualTo(Duration.ofMillis(250));
        assertThat(settings.find(Setting.DATABASE_PASSWORD)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "STAGED_JOBS_DATABSE_URL,              STAGED_JOBS_DATABASE_URL",
        "STAGED_JOBS_BATCHSIZE,                STAGED_JOBS_BATCH_SIZE",
        "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVER,   STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS",
        "STAGED_JOBS_KAFKA_LINGERMS,           STAGED_JOBS_KAFKA_LINGER_MS",
    })
    void an_unknown_variable_stops_the_start_and_the_nearest_known_one_is_named(String variable, String nearest) {
        assertThatThrownBy(() -> read(Map.of(), Map.of(variable, "1")))
                .isInstanceOf(SettingsException.class)
                .hasMessage("unknown setting " + variable + ". The nearest known one is " + nearest + ".");
    }

    @Test
    void an_unknown_key_in_the_file_is_named_with_its_file() throws IOException {
        String file = file("settings.properties", "databse.url=x\n");
        assertThatThrownBy(() -> read(Map.of("config.file", file), Map.of()))
                .hasMessageContainingAll("settings.properties", "databse.url", "database.url");
    }

    @ParameterizedTest
    @CsvSource({
        "ADMIN_PORT,         http,                 whole number from 0 to 65535",
        "ADMIN_PORT,         70000,                whole number from 0 to 65535",
        "BATCH_SIZE,         0,                    whole number from 1",
        "BATCH_SIZE,         99999999999999999999, whole number from 1",
        "DATABASE_URL,       postgres://h/d,       jdbc:postgresql:",
        "DELIVERY,           twice,                exactly-once or at-least-once",
        "PUBLISH_TIMEOUT,    4,                    250ms",
        "PUBLISH_TIMEOUT,    0ms,                  from 500ms to 5m",
        "ADMIN_TOKEN,        short,                16 characters",
        "ADMIN_TOKEN_READONLY, short,              16 characters",
        "TAKEOVER_AFTER,     3s,                   three times heartbeat.interval",
        "KAFKA_ACKS,         1,                    cannot be changed",
        "KAFKA_TRANSACTION_TIMEOUT_MS, 3999,       at least publish.timeout",
        "KAFKA_LINGER_MS,    soon,                 setting STAGED_JOBS_KAFKA_LINGER_MS is wrong",
        "KAFKA_COMPRESSION_TYPE, zip,              setting STAGED_JOBS_KAFKA_COMPRESSION_TYPE is wrong",
        "KAFKA_DEFAULT_API_TIMEOUT_MS, -1,         setting STAGED_JOBS_KAFKA_DEFAULT_API_TIMEOUT_MS is wrong",
    })
    void a_wrong_value_is_told_with_what_was_expected(String name, String value, String expected) {
        assertThatThrownBy(() -> read(Map.of(), Map.of("STAGED_JOBS_" + name, value)))
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining(expected);
    }

    @Test
    void all_problems_are_told_at_once() {
        assertThatThrownBy(() -> read(Map.of(), Map.of("STAGED_JOBS_BATCH_SIZE", "x", "STAGED_JOBS_ADMIN_PORT", "y")))
                .hasMessageContainingAll("STAGED_JOBS_BATCH_SIZE", "STAGED_JOBS_ADMIN_PORT");
    }

    @Test
    void a_missing_setting_is_named_with_both_ways_to_set_it() {
        assertThatThrownBy(() -> read(Map.of(), Map.of()).get(Setting.DATABASE_URL))
                .hasMessageContainingAll("STAGED_JOBS_DATABASE_URL", "--database-url", "jdbc:postgresql://");
    }

    @Test
    void settings_of_another_program_are_told_by_the_names_that_they_have_there() {
        Settings settings = of(Map.of("batch.size", "3", "kafka.linger.ms", "1"), "app.enqueuer.");
        assertThat(settings.get(Setting.BATCH_SIZE)).isEqualTo(3);
        assertThat(settings.passedThrough()).containsEntry("linger.ms", "1");
        assertThatThrownBy(() -> settings.get(Setting.DATABASE_URL))
                .hasMessageContaining("Set app.enqueuer.database.url.")
                .hasMessageNotContaining("STAGED_JOBS");
        assertThatThrownBy(() -> of(Map.of("batchsize", "3", "batch.bytes", "x"), "app.enqueuer."))
                .isInstanceOf(SettingsException.class)
                .hasMessageContainingAll(
                        "unknown setting app.enqueuer.batchsize. The nearest known one is app.enqueuer.batch.size.",
                        "app.enqueuer.batch.bytes is wrong");
    }

    @Test
    void secrets_come_from_files_too_and_never_show_in_a_message() throws IOException {
        Settings settings = read(
                Map.of(),
                Map.of(
                        "STAGED_JOBS_DATABASE_PASSWORD_FILE",
                        file("pw", "s3cret ${x}\n"),
                        "STAGED_JOBS_KAFKA_SASL_JAAS_CONFIG_FILE",
                        file("jaas", "module required;")));
        assertThat(settings.find(Setting.DATABASE_PASSWORD)).contains("s3cret ${x}");
        assertThat(settings.passedThrough()).containsEntry("sasl.jaas.config", "module required;");

        assertThatThrownBy(() -> read(
                        Map.of(),
                        Map.of(
                                "STAGED_JOBS_DATABASE_PASSWORD",
                                "canary",
                                "STAGED_JOBS_DATABASE_PASSWORD_FILE",
                                file("pw2", "canary"))))
                .hasMessageContaining("given twice")
                .hasMessageNotContaining("canary");
        assertThatThrownBy(() -> read(Map.of(), Map.of("STAGED_JOBS_ADMIN_TOKEN", "canary")))
                .hasMessageNotContaining("canary");
        assertThatThrownBy(() -> read(
                        Map.of(),
                        Map.of(
                                "STAGED_JOBS_ADMIN_TOKEN_FILE",
                                directory.resolve("absent").toString())))
                .hasMessageContaining("absent");
    }

    @Test
    void a_password_in_a_url_that_is_none_of_ours_is_not_repeated() {
        for (String url :
                List.of("postgres://user:canary@host/db", "user:canary@host", "https://host?password=canary")) {
            assertThatThrownBy(() -> read(Map.of(), Map.of("STAGED_JOBS_DATABASE_URL", url)))
                    .isInstanceOf(SettingsException.class)
                    .hasMessageNotContaining("canary");
        }
    }

    @Test
    void the_nearest_name_is_never_one_that_cannot_be_changed() {
        assertThatThrownBy(() -> read(Map.of(), Map.of("STAGED_JOBS_KAFKA_ACK", "1")))
                .hasMessageContaining("nearest known one")
                .hasMessageNotContaining("STAGED_JOBS_KAFKA_ACKS");
    }

    @Test
    void any_kafka_client_property_can_be_set() {
        Settings settings = read(
                Map.of("kafka.linger.ms", "3"),
                Map.of("STAGED_JOBS_KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "STAGED_JOBS_KAFKA_LINGER_MS", "9"));
        assertThat(settings.passedThrough())
                .containsEntry("security.protocol", "SASL_SSL")
                .containsEntry("linger.ms", "3");
    }

    @Test
    void what_kubernetes_and_the_launcher_set_is_not_a_setting() {
        read(
                Map.of(),
                Map.of(
                        "STAGED_JOBS_SERVICE_HOST", "10.0.0.1",
                        "STAGED_JOBS_PORT", "tcp://10.0.0.1:8089",
                        "STAGED_JOBS_PORT_8089_TCP_ADDR", "10.0.0.1",
                        "STAGED_JOBS_ADMIN_SERVICE_PORT_HTTP", "8089",
                        "STAGED_JOBS_LOG_FORMAT", "json",
                        "STAGED_JOBS_TEST_REQUIRE", "psql"));
    }

    @Test
    void an_empty_variable_is_as_if_it_were_not_set() {
        assertThat(read(Map.of(), Map.of("STAGED_JOBS_BATCH_SIZE", "")).get(Setting.BATCH_SIZE))
                .isEqualTo(5000);
    }
}
