package io.stagedjobs.enqueuer.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class KafkaClientSettingsTest {

    private static final String CANARY = "hunter2-canary";

    /**
     * Whoever takes a newer client looks whether one of its new properties breaks what is promised, then names it here.
     */
    @Test
    void each_property_of_the_clients_was_looked_at_and_is_either_free_or_fixed() {
        Set<String> others = new TreeSet<>(KafkaProperties.known());
        others.removeAll(KafkaProperties.FIXED.keySet());
        others.removeIf(name -> name.matches("(ssl|sasl|security|metrics?|metadata|reconnect|socket)\\..*"));
        assertThat(others)
                .containsExactlyInAnyOrder(
                        "batch.size",
                        "bootstrap.servers",
                        "buffer.memory",
                        "client.dns.lookup",
                        "client.id",
                        "compression.gzip.level",
                        "compression.lz4.level",
                        "compression.type",
                        "compression.zstd.level",
                        "config.providers",
                        "connections.max.idle.ms",
                        "default.api.timeout.ms",
                        "enable.metrics.push",
                        "interceptor.classes",
                        "linger.ms",
                        "max.in.flight.requests.per.connection",
                        "max.request.size",
                        "partitioner.adaptive.partitioning.enable",
                        "partitioner.availability.timeout.ms",
                        "receive.buffer.bytes",
                        "request.timeout.ms",
                        "retry.backoff.max.ms",
                        "retry.backoff.ms",
                        "send.buffer.bytes",
                        "transaction.timeout.ms");
        assertThat(KafkaProperties.known()).containsAll(KafkaProperties.FIXED.keySet());
    }

    @Test
    void what_would_spread_the_jobs_of_a_key_over_partitions_is_not_the_operators_to_set() {
        assertThat(KafkaProperties.FIXED).containsKeys("partitioner.class", "partitioner.ignore.keys");
    }

    @Test
    void what_is_wrong_with_a_value_is_told_without_the_value() {
        int wrong = 0;
        for (String property : KafkaProperties.known()) {
            Optional<String> told = KafkaProperties.whatIsWrong(property, CANARY);
            wrong += told.isPresent() ? 1 : 0;
            told.ifPresent(words -> assertThat(words).startsWith("expected").doesNotContain(CANARY, "@", "Lambda"));
        }
        assertThat(wrong).isGreaterThan(40);
        assertThat(KafkaProperties.whatIsWrong("linger.ms", "soon"))
                .contains("expected a value of type long, [0,...], got another one");
    }

    /** Some properties are right one by one and wrong together; a lane would meet that with its first producer. */
    @Test
    void properties_that_a_transactional_producer_refuses_are_found_at_the_start() {
        for (Map<String, String> wrong :
                Set.of(Map.of("max.in.flight.requests.per.connection", "6"), Map.of("request.timeout.ms", "60000"))) {
            Map<String, String> all = new java.util.HashMap<>(wrong);
            all.put("bootstrap.servers", "127.0.0.1:1");
            assertThatThrownBy(() -> new ExactlyOncePublisher(
                            new KafkaClientSettings(all, Duration.ofSeconds(4)),
                            "none",
                            "/tests",
                            new SimpleMeterRegistry()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(wrong.keySet().iterator().next());
        }
    }
}
