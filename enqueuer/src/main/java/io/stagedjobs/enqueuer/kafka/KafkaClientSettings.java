package io.stagedjobs.enqueuer.kafka;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.SaslConfigs;
import org.apache.kafka.common.config.SslConfigs;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The properties of the Kafka clients: ours, overridden by the operator's. {@link KafkaProperties} says which
 * properties the operator can set.
 *
 * @param operator Kafka client properties by their own names
 * @param publishTimeout how long a batch may wait for Kafka in all: looking up topics, deliveries, the commit
 */
public record KafkaClientSettings(Map<String, String> operator, Duration publishTimeout) {

    /** Shorter values, such as numbers, are not secrets and occur in any text. */
    private static final int MASKED_FROM = 4;

    private static final Duration ASK_AT_LEAST = Duration.ofSeconds(10);

    /**
     * The longest value that a broker accepts by default. A new owner of a lane ends the earlier owner's transaction;
     * the timeout is for the case that nobody takes the lane. It is longer than a whole cluster should be down: a
     * broker of Kafka 4.3 that starts with an expired transaction may forget to end it in some partitions
     * (KAFKA-20734).
     */
    private static final Duration TRANSACTION_TIMEOUT = Duration.ofMinutes(15);

    /**
     * Kafka answers a commit before it writes the markers, and until then the next transaction must retry: Kafka's
     * default pause of 100 ms would be most of a small batch's time.
     */
    private static final Duration NEXT_TRANSACTION_BACKOFF = Duration.ofMillis(10);

    /**
     * Why a client could not be created: the first cause, and the most likely property. It contains no values except
     * the brokers' addresses and names of files: any other value may be a misplaced secret.
     */
    public String refused(IllegalArgumentException thrown) {
        StringBuilder all = new StringBuilder();
        for (Throwable e = thrown; e != null; e = e.getCause()) {
            all.append(e.getMessage()).append(' ');
        }
        return withoutValues(String.valueOf(thrown.getMessage()))
                + suspect(all.toString())
                        .map(property -> "; see kafka." + property)
                        .orElse("");
    }

    private String withoutValues(String words) {
        String masked = words;
        for (Map.Entry<String, String> given : operator.entrySet()) {
            if (!tellsAPlace(given.getKey())) {
                for (String part : given.getValue().split("[\\s=\"';,]+", -1)) {
                    masked = part.length() < MASKED_FROM ? masked : masked.replace(part, "…");
                }
            }
        }
        return masked;
    }

    private static boolean tellsAPlace(String property) {
        return property.equals(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG) || property.endsWith(".location");
    }

    private Optional<String> suspect(String words) {
        String lower = words.toLowerCase(Locale.ROOT);
        Optional<String> file = operator.entrySet().stream()
                .filter(given -> given.getKey().endsWith(".location") && words.contains(given.getValue()))
                .map(Map.Entry::getKey)
                .findFirst();
        return file.isPresent()
                ? file
                : SUSPECTS.stream()
                        .filter(suspect -> operator.containsKey(suspect.property) && lower.contains(suspect.word))
                        .map(Suspect::property)
                        .findFirst();
    }

    /** The likely property if a client's message contains this word, in lower case. */
    private record Suspect(String word, String property) {}

    /** The more specific words first. */
    private static final List<Suspect> SUSPECTS = List.of(
            new Suspect("jaas", SaslConfigs.SASL_JAAS_CONFIG),
            new Suspect("login", SaslConfigs.SASL_JAAS_CONFIG),
            new Suspect("truststore", SslConfigs.SSL_TRUSTSTORE_LOCATION_CONFIG),
            new Suspect("trust", SslConfigs.SSL_TRUSTSTORE_CERTIFICATES_CONFIG),
            new Suspect("keystore", SslConfigs.SSL_KEYSTORE_LOCATION_CONFIG),
            new Suspect("key", SslConfigs.SSL_KEYSTORE_KEY_CONFIG),
            new Suspect("certificate", SslConfigs.SSL_KEYSTORE_CERTIFICATE_CHAIN_CONFIG),
            new Suspect("pem", SslConfigs.SSL_TRUSTSTORE_CERTIFICATES_CONFIG),
            new Suspect("class", ProducerConfig.INTERCEPTOR_CLASSES_CONFIG));

    /** The time for a question outside any batch: at the start, and when a lane is acquired. */
    Duration askMax() {
        return publishTimeout.compareTo(ASK_AT_LEAST) > 0 ? publishTimeout : ASK_AT_LEAST;
    }

    /** The time that a batch may wait for answers about new topics. */
    Duration lookUpMax() {
        return publishTimeout.dividedBy(4);
    }

    /** The time that the producer may block: for metadata, and for the end of a transaction. */
    Duration blockMax() {
        return publishTimeout.multipliedBy(3).dividedBy(8);
    }

    /** The time after its start until which a batch waits for acknowledgements, so that the commit still fits. */
    Duration deliveredAfterMax() {
        return publishTimeout.minus(blockMax());
    }

    /** The size of the largest record that the producer sends; the operator may set it. */
    int recordBytesMax() {
        long request = number(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, 1 << 20);
        return (int) Math.min(request, number(ProducerConfig.BUFFER_MEMORY_CONFIG, 32 << 20));
    }

    /** The time for which the producer remembers an unused topic. */
    Duration topicsRemembered() {
        return Duration.ofMillis(number(ProducerConfig.METADATA_MAX_IDLE_CONFIG, 5 * 60 * 1000));
    }

    private long number(String property, long kafkasDefault) {
        return Long.parseLong(
                String.valueOf(producer().getOrDefault(property, kafkasDefault)).trim());
    }

    Map<String, Object> producer() {
        Map<String, Object> properties = new HashMap<>();
        properties.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "lz4");
        properties.put(ProducerConfig.BATCH_SIZE_CONFIG, 256 * 1024);
        properties.put(ProducerConfig.LINGER_MS_CONFIG, 0); // the batch is already complete
        // While a broker has two requests, the next records gather in one: requests cost the broker work, records
        // hardly any.
        properties.put(ProducerConfig.MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION, 2);
        properties.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, (int) (publishTimeout.toMillis() * 3 / 4));
        properties.putAll(common(ProducerConfig.configNames()));
        properties.put(ProducerConfig.ACKS_CONFIG, "all");
        properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        properties.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, (int) publishTimeout.toMillis());
        properties.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, blockMax().toMillis());
        properties.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        properties.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        return properties;
    }

    /** When Kafka ends a transaction that nobody ends. */
    Duration transactionTimeout() {
        return Duration.ofMillis(number(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, TRANSACTION_TIMEOUT.toMillis()));
    }

    Map<String, Object> transactionalProducer(String transactionalId, int lane) {
        Map<String, Object> properties = producer();
        properties.put(
                ProducerConfig.CLIENT_ID_CONFIG,
                properties.get(ProducerConfig.CLIENT_ID_CONFIG) + "-lane-" + lane); // its meters' label
        properties.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, transactionalId);
        properties.putIfAbsent(ProducerConfig.RETRY_BACKOFF_MS_CONFIG, NEXT_TRANSACTION_BACKOFF.toMillis());
        properties.putIfAbsent(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, (int) TRANSACTION_TIMEOUT.toMillis());
        return properties;
    }

    Map<String, Object> progressReader(String isolationLevel) {
        Map<String, Object> properties = common(ConsumerConfig.configNames());
        properties.remove(ConsumerConfig.INTERCEPTOR_CLASSES_CONFIG); // the operator's are for producers
        properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, isolationLevel);
        properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
        properties.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        properties.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, (int) publishTimeout.toMillis());
        properties.put(ConsumerConfig.REQUEST_TIMEOUT_MS_CONFIG, (int) (publishTimeout.toMillis() * 3 / 4));
        return properties;
    }

    Map<String, Object> admin() {
        Map<String, Object> properties = new HashMap<>();
        properties.put(AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG, (int) (publishTimeout.toMillis() * 3 / 4));
        properties.put(AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, (int) askMax().toMillis());
        properties.putAll(common(AdminClientConfig.configNames()));
        return properties;
    }

    private Map<String, Object> common(Set<String> names) {
        Map<String, Object> properties = new HashMap<>();
        properties.put("client.id", "staged-jobs-enqueuer");
        operator.forEach((name, value) -> {
            if (names.contains(name)) {
                properties.put(name, value);
            }
        });
        return properties;
    }
}
