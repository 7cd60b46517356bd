package io.stagedjobs.enqueuer.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.faultkit.Logged;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A secret that stands in any property of the clients is in no message and in no log, whether they take it or not. */
class RefusedPropertiesTest {

    private static final String CANARY = "c4nary-of-the-secret";

    private static final Map<String, Map<String, String>> BASES = Map.of(
            "PLAINTEXT",
            Map.of(),
            "SASL_SSL",
            Map.of(
                    "sasl.mechanism",
                    "PLAIN",
                    "sasl.jaas.config",
                    "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\""
                            + CANARY + "\";"));

    @ParameterizedTest
    @ValueSource(strings = {"PLAINTEXT", "SASL_SSL"})
    void no_value_is_repeated(String protocol) {
        try (Logged logged = new Logged()) {
            int refused = 0;
            for (String property : KafkaProperties.known()) {
                if (KafkaProperties.FIXED.containsKey(property) || property.equals("bootstrap.servers")) {
                    continue;
                }
                Map<String, String> operator = new HashMap<>(BASES.get(protocol));
                operator.put("security.protocol", protocol);
                operator.put("bootstrap.servers", "127.0.0.1:1");
                operator.put(property, property.endsWith(".location") ? "/no/such" : CANARY);
                Optional<String> words = whatIsWrong(operator, property);
                refused += words.isPresent() ? 1 : 0;
                assertThat(words.orElse("")).as(property).doesNotContain(CANARY);
            }
            assertThat(refused).isGreaterThan(50);
            assertThat(logged.lines()).noneMatch(line -> line.contains(CANARY));
        }
    }

    private static Optional<String> whatIsWrong(Map<String, String> operator, String property) {
        Optional<String> wrong = KafkaProperties.whatIsWrong(property, operator.get(property));
        if (wrong.isPresent()) {
            return wrong;
        }
        KafkaClientSettings settings = new KafkaClientSettings(operator, Duration.ofSeconds(4));
        try {
            new AtLeastOncePublisher(settings, "/tests", new SimpleMeterRegistry()).close();
            return Optional.empty();
        } catch (IllegalArgumentException e) {
            return Optional.of(settings.refused(e));
        }
    }
}
