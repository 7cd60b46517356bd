package io.stagedjobs.daemon.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command.Answer;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.faultkit.Logged;
import io.stagedjobs.faultkit.TestOutbox;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A secret wherever a person may put one, rightly or wrongly, is in no message and in no log. */
class SecretsTest {

    private static final String CANARY = "c4nary-of-the-secret";
    private static final String DATABASE = "jdbc:postgresql://127.0.0.1:1/nowhere";

    @TempDir
    static Path directory;

    private Logged logged;

    @BeforeEach
    void listen() {
        logged = new Logged();
    }

    @AfterEach
    void close() {
        logged.close();
    }

    private Answer refused(Map<String, String> environment, String... args) {
        Answer answer = Command.run(environment, args);
        assertThat(answer.exitCode())
                .as("%s with %s", Arrays.toString(args), environment)
                .isNotZero();
        assertThat(answer.out() + answer.err() + logged.lines())
                .as("%s with %s", Arrays.toString(args), environment)
                .doesNotContain(CANARY);
        return answer;
    }

    private static Map<String, String> with(String... pairs) {
        return Command.with(Map.of("STAGED_JOBS_DATABASE_URL", DATABASE), pairs);
    }

    private static String file(String content) throws Exception {
        return Files.writeString(Files.createTempFile(directory, "canary", ""), content, UTF_8)
                .toString();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "jdbc:postgresql://role:CANARY@127.0.0.1/db",
                "jdbc:postgresql://role:CANARY@127.0.0.1:1/db",
                "jdbc:postgresql://CANARY@127.0.0.1:1/db",
                "jdbc:postgresql://127.0.0.1:CANARY/db",
                "jdbc:postgresql://127.0.0.1:port/db?password=CANARY",
                "jdbc:postgresql://127.0.0.1:99999/db?password=CANARY",
                "jdbc:postgresql://127.0.0.1:1/db?password=CANARY",
                "jdbc:postgresql://127.0.0.1:1/db?PASSWORD=CANARY&ssl=false",
                "jdbc:postgresql://127.0.0.1:1/db?sslpassword=CANARY&sslmode=none",
                "jdbc:postgresql://127.0.0.1:1/db?password=CANARY%zz",
                "jdbc:postgresql://127.0.0.1:1/db;password=CANARY",
                "jdbc:postgresql://127.0.0.1:1,127.0.0.1:two/db?password=CANARY",
                "jdbc:postgresql:db?password=CANARY&loginTimeout=soon",
                "jdbc:postgresql://[::1]:1/db?password=CANARY&targetServerType=none",
                "jdbc:postgres://127.0.0.1:1/db?password=CANARY",
                "postgresql://role:CANARY@127.0.0.1/db",
            })
    void a_password_in_any_url(String url) {
        for (String command : new String[] {"status", "migrate", "run"}) {
            refused(with("STAGED_JOBS_DATABASE_URL", url.replace("CANARY", CANARY)), command);
            refused(with(), command, "--database-url", url.replace("CANARY", CANARY));
        }
    }

    @Test
    void a_url_that_the_server_understands_and_whose_database_is_not_there() throws Exception {
        try (TestOutbox outbox = new TestOutbox("secrets")) {
            String url = outbox.database.url().replace(outbox.database.name(), "db;password=" + CANARY);
            refused(Command.with(Command.environment(outbox), "STAGED_JOBS_DATABASE_URL", url), "status");
            refused(Command.with(Command.environment(outbox), "STAGED_JOBS_DATABASE_PASSWORD", CANARY), "status");
        }
    }

    @Test
    void every_setting_that_is_a_secret_however_it_is_given_and_mistyped() throws Exception {
        List<String> secrets = new ArrayList<>(List.of("kafka.sasl.jaas.config", "kafka.ssl.key.password"));
        Setting.ALL.stream().filter(Setting::secret).map(Setting::key).forEach(secrets::add);
        for (String key : secrets) {
            String variable = "STAGED_JOBS_" + key.replace('.', '_').toUpperCase(Locale.ROOT);
            refused(with(variable, CANARY), "status");
            refused(with(variable + "S", CANARY), "status");
            refused(with(variable + "_FILE", file(CANARY)), "status");
            refused(with(variable + "_FILE", file(CANARY), variable, CANARY), "status");
            refused(with("STAGED_JOBS_CONFIG_FILE", file(key + "=" + CANARY + "\n")), "status");
            refused(with("STAGED_JOBS_CONFIG_FILE", file(key + "s=" + CANARY + "\n")), "status");
            refused(with("STAGED_JOBS_CONFIG_FILE", file(key + "=\\u00zz" + CANARY + "\n")), "status");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "status --database-pasword CANARY",
                "status --database-pasword=CANARY",
                "status --database-password CANARY CANARY",
                "status CANARY",
                "status --kafka CANARY",
                "status --kafka=CANARY",
                "status --kafka linger.ms=CANARY",
                "status --kafka no.such.property=CANARY",
                "status --kafka acks=CANARY",
                "status --kafka-acks CANARY",
                "status --kafka-sasl-jaas-config=CANARY",
                "parked list --database-pasword CANARY",
            })
    void what_stands_behind_a_flag_that_is_wrong(String arguments) {
        Answer answer = refused(with(), arguments.replace("CANARY", CANARY).split(" "));
        assertThat(answer.exitCode()).isEqualTo(2);
        assertThat(answer.err().lines()).as(answer.err()).hasSize(1);
    }

    @Test
    void a_wrong_flag_is_answered_with_one_that_exists() {
        assertThat(refused(with(), "status", "--database-pasword", CANARY).err())
                .contains("unknown flag --database-pasword. The nearest known one is --database-password.");
        assertThat(refused(with(), "status", "--kafka", "lingerms=" + CANARY).err())
                .contains("unknown setting --kafka lingerms=…", "The nearest known one is --kafka linger.ms=…");
        assertThat(refused(with(), "status", "--kafka", "acks=1").err()).contains("setting --kafka acks=… cannot be");
        assertThat(refused(with(), "status", "--kafka", CANARY).err()).contains("expected PROPERTY=VALUE");
    }

    /** What the client says of it, in one line with the property, and no stack trace from the client. */
    @Test
    void keys_stores_and_logins_that_cannot_be_read_are_told_with_the_property_and_the_first_cause() throws Exception {
        try (TestOutbox outbox = new TestOutbox("secrets")) {
            Map<String, String> tls = kafka("security.protocol", "SSL");
            Map<String, String> sasl = kafka("security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "PLAIN");
            String pem = "-----BEGIN PRIVATE KEY-----\\n" + CANARY + "\\n-----END PRIVATE KEY-----";
            Map<Map<String, String>, List<String>> cases = new HashMap<>();
            cases.put(
                    joined(tls, kafka("ssl.keystore.location", "/no/such.jks", "ssl.keystore.password", CANARY)),
                    List.of("ssl.keystore.location", "/no/such.jks"));
            cases.put(
                    joined(tls, kafka("ssl.truststore.location", "/no/such.jks")),
                    List.of("ssl.truststore.location", "/no/such.jks"));
            cases.put(joined(sasl, kafka("sasl.jaas.config", CANARY)), List.of("sasl.jaas.config", "JAAS"));
            cases.put(
                    joined(sasl, kafka("sasl.jaas.config", "a.Module required password=\"" + CANARY + "\"")),
                    List.of("sasl.jaas.config"));
            cases.put(
                    joined(sasl, kafka("sasl.jaas.config", "no.such.Module required password=\"" + CANARY + "\";")),
                    List.of("sasl.jaas.config"));
            cases.put(
                    joined(
                            tls,
                            kafka(
                                    "ssl.keystore.type",
                                    "PEM",
                                    "ssl.keystore.key",
                                    pem,
                                    "ssl.keystore.certificate.chain",
                                    pem)),
                    List.of("ssl.keystore"));
            for (Map.Entry<Map<String, String>, List<String>> each : cases.entrySet()) {
                Answer answer = refused(joined(Command.environment(outbox), each.getKey()), "run");
                assertThat(answer.err()).contains(each.getValue()).contains("Nothing was started");
                assertThat(answer.err()).doesNotContain("Failed to create new NetworkClient", "\tat ");
                assertThat(answer.err().lines()).as(answer.err()).hasSize(1);
                assertThat(logged.lines()).noneMatch(line -> line.contains("\tat "));
            }
        }
    }

    private static Map<String, String> joined(Map<String, String> some, Map<String, String> more) {
        Map<String, String> all = new HashMap<>(some);
        all.putAll(more);
        return all;
    }

    private static Map<String, String> kafka(String... pairs) {
        Map<String, String> environment = new HashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            environment.put("STAGED_JOBS_KAFKA_" + pairs[i].replace('.', '_').toUpperCase(Locale.ROOT), pairs[i + 1]);
        }
        return environment;
    }
}
