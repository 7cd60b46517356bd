package io.stagedjobs.enqueuer.kafka;

import io.stagedjobs.enqueuer.settings.Passthrough;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigException;

/**
 * The properties of the Kafka clients that an operator may set. Those that the delivery promise rests on are not theirs
 * to set.
 */
public final class KafkaProperties {

    /** Set by {@link KafkaClientSettings} and nowhere else, each with the reason for the error message. */
    static final Map<String, String> FIXED = Map.ofEntries(
            Map.entry(ProducerConfig.ACKS_CONFIG, "a job is deleted only after all in-sync replicas have it"),
            Map.entry(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "order and single delivery rest on it"),
            Map.entry(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, "keys are bytes already"),
            Map.entry(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, "payloads are bytes already"),
            Map.entry(ProducerConfig.PARTITIONER_CLASS_CONFIG, "jobs of one key keep their order in one partition"),
            Map.entry(
                    ProducerConfig.PARTITIONER_IGNORE_KEYS_CONFIG, "jobs of one key keep their order in one partition"),
            Map.entry(ProducerConfig.TRANSACTIONAL_ID_CONFIG, "it belongs to the delivery mode"),
            Map.entry(
                    ProducerConfig.TRANSACTION_TWO_PHASE_COMMIT_ENABLE_CONFIG,
                    "a transaction that nobody ends has to expire"),
            Map.entry(ProducerConfig.RETRIES_CONFIG, "publish.timeout bounds the retries"),
            Map.entry(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, "publish.timeout sets it"),
            Map.entry(ProducerConfig.MAX_BLOCK_MS_CONFIG, "publish.timeout sets it"),
            Map.entry(AdminClientConfig.BOOTSTRAP_CONTROLLERS_CONFIG, "brokers are asked, not controllers"));

    /** What the settings need to know of these properties. */
    public static final Passthrough PASSTHROUGH = new Passthrough(
            "kafka.",
            known(),
            FIXED,
            KafkaProperties::isSecret,
            KafkaProperties::whatIsWrong,
            Map.of(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, "Kafka would end transactions that are still at work"));

    private KafkaProperties() {}

    /** Names of all properties that the producer or the admin client knows. */
    static Set<String> known() {
        Set<String> names = new TreeSet<>(ProducerConfig.configNames());
        names.addAll(AdminClientConfig.configNames());
        return names;
    }

    /** Whether a property is a secret: Kafka's own definitions say so. */
    private static boolean isSecret(String property) {
        ConfigDef.ConfigKey key = ProducerConfig.configDef().configKeys().get(property);
        return key != null && key.type == ConfigDef.Type.PASSWORD;
    }

    /**
     * What a client would miss in a property's value when it is made, without the value, which may be a secret in the
     * wrong place; empty if it would take it. Without this a producer's property would be found out by the first lane.
     */
    static Optional<String> whatIsWrong(String property, String text) {
        for (ConfigDef known : List.of(ProducerConfig.configDef(), AdminClientConfig.configDef())) {
            ConfigDef.ConfigKey key = known.configKeys().get(property);
            if (key != null && !takes(key, text)) {
                String rule = String.valueOf(key.validator);
                boolean readable = key.validator != null && !rule.contains("@"); // else it is only the name of a class
                return Optional.of("expected a value of type " + key.type.name().toLowerCase(Locale.ROOT)
                        + (readable ? ", " + rule : "") + ", got another one");
            }
        }
        return Optional.empty();
    }

    private static boolean takes(ConfigDef.ConfigKey key, String text) {
        try {
            Object value = ConfigDef.parseType(key.name, text, key.type);
            if (key.validator != null) {
                key.validator.ensureValid(key.name, value);
            }
            return true;
        } catch (ConfigException e) { // its words repeat the value
            return false;
        }
    }
}
