package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.stagedjobs.enqueuer.settings.Setting;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command {@code config}. */
class ConfigCommandTest {

    private static final String SECRET = "c4nary-of-the-secret";

    @TempDir
    static Path directory;

    private static String file(String name, String content) throws Exception {
        return Files.writeString(directory.resolve(name), content, UTF_8).toString();
    }

    @Test
    void each_setting_is_shown_with_its_value_and_its_source() throws Exception {
        String settings = file("settings.properties", "batch.size=7\nbatch.bytes=70000\nname=from the file\n");
        Map<String, String> environment = Map.of(
                "STAGED_JOBS_CONFIG_FILE", settings,
                "STAGED_JOBS_BATCH_BYTES", "80000",
                "STAGED_JOBS_NAME", "from the environment",
                "STAGED_JOBS_KAFKA_LINGER_MS", "5");
        Command.Answer text = Command.run(environment, "config", "--name", "evil \u001b[31m\nname");
        assertThat(text.err()).isEmpty();
        assertThat(text.exitCode()).isZero();
        assertThat(text.out().replaceAll(" +", " "))
                .contains(
                        "batch.size 7 (file " + settings + ")",
                        "batch.bytes 80000 (environment STAGED_JOBS_BATCH_BYTES)",
                        "name evil \\u001b[31m\\u000aname (flag --name)",
                        "publish.timeout 4s (default)",
                        "kafka.linger.ms 5 (environment STAGED_JOBS_KAFKA_LINGER_MS)",
                        "database.url (not set)");
        assertThat(text.out().lines()).hasSize(Setting.ALL.size() + 1);

        JsonNode json = new JsonMapper()
                .readTree(Command.run(environment, "config", "--json", "--kafka", "linger.ms=6")
                        .out());
        Map<String, JsonNode> byKey = new HashMap<>();
        json.forEach(setting -> byKey.put(setting.get("key").asText(), setting));
        assertThat(byKey).hasSize(Setting.ALL.size() + 1);
        assertThat(byKey.get("kafka.linger.ms").get("source").asText()).isEqualTo("flag");
        assertThat(byKey.get("kafka.linger.ms").get("value").asText()).isEqualTo("6");
        assertThat(byKey.get("database.url").get("value").isNull()).isTrue();
        assertThat(byKey.get("database.url").get("source").asText()).isEqualTo("none");
    }

    @Test
    void no_secret_is_shown_however_it_is_given() throws Exception {
        Map<String, String> environment = new HashMap<>();
        environment.put("STAGED_JOBS_DATABASE_PASSWORD_FILE", file("password", SECRET));
        environment.put("STAGED_JOBS_DATABASE_URL", "jdbc:postgresql://db/shop?sslpassword=" + SECRET + "&ssl=true");
        environment.put("STAGED_JOBS_ADMIN_TOKEN", SECRET);
        environment.put("STAGED_JOBS_ADMIN_TOKEN_READONLY", SECRET + "2");
        environment.put("STAGED_JOBS_KAFKA_SSL_KEY_PASSWORD", SECRET);
        for (String[] args : List.of(new String[] {"config"}, new String[] {"config", "--json"})) {
            Command.Answer answer = Command.run(environment, args);
            assertThat(answer.exitCode()).as(answer.err()).isZero();
            assertThat(answer.out())
                    .doesNotContain(SECRET)
                    .contains(
                            "sslpassword=***&ssl=true",
                            "***",
                            directory.resolve("password").toString());
        }
    }

    @Test
    void wrong_settings_are_all_named_instead() {
        Command.Answer answer = Command.run(
                Map.of("STAGED_JOBS_BATCH_SIZE", "many", "STAGED_JOBS_BATCH_SIZ", "1", "STAGED_JOBS_WAKE_UP", "no"),
                "config");
        assertThat(answer.exitCode()).isEqualTo(2);
        assertThat(answer.out()).isEmpty();
        assertThat(answer.err()).contains("STAGED_JOBS_BATCH_SIZE is wrong", "STAGED_JOBS_BATCH_SIZ.", "WAKE_UP");
    }
}
