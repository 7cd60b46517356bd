package io.stagedjobs.testkit;

import io.stagedjobs.testkit.EmbeddedKafka.Listener;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.testcontainers.kafka.KafkaContainer;
import org.testcontainers.utility.DockerImageName;

/**
 * A real Kafka broker, or a cluster of them.
 *
 * <p>{@link #shared()} is for nearly every test: each takes {@linkplain #newTopic new topics}. A test that stops, kills
 * or freezes its broker starts its own with {@link #startEmbedded()}; so does the demo. Methods that ask the broker
 * wait for its answer, a minute at most. Thread-safe, but only one thread at a time may start and stop it.
 */
public final class TestKafka implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(TestKafka.class);
    private static final String IMAGE = "apache/kafka:4.2.1";
    private static final Duration ANSWER_MAX = Duration.ofSeconds(60);
    private static final Duration POLL_MAX = Duration.ofMillis(200);
    private static final int PARTITIONS = 3;

    private static final Once<TestKafka> SHARED = new Once<>(TestKafka::choose);

    private final String bootstrapServers;

    /**
     * The nodes that {@link #stop} and its like act on, in the order of their numbers; empty if they are not ours to
     * stop.
     */
    private final List<EmbeddedKafka> owned;

    private final Admin admin;
    private final AtExit atExit;

    private TestKafka(String bootstrapServers, List<EmbeddedKafka> owned) {
        this.bootstrapServers = bootstrapServers;
        this.owned = owned;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrapServers));
        this.atExit = AtExit.run(() -> admin.close(Duration.ZERO));
    }

    /**
     * The one broker of this JVM, started by the first call: the one at the bootstrap servers that {@code TEST_KAFKA}
     * names, else a container, else an embedded one. It runs until the JVM ends, and cannot be stopped from here.
     *
     * @throws IllegalStateException if it does not start; each later call fails too, without another attempt
     */
    public static TestKafka shared() {
        return SHARED.get();
    }

    /** Starts an embedded broker that belongs to the caller. */
    public static TestKafka startEmbedded() {
        return startEmbedded(Map.of());
    }

    /**
     * As {@link #startEmbedded()}, with broker settings that override ours.
     *
     * @throws IllegalStateException with the broker's last words, if it does not start
     */
    public static TestKafka startEmbedded(Map<String, String> brokerSettings) {
        return owning(EmbeddedKafka.startCluster(1, List.of(), brokerSettings));
    }

    /**
     * As {@link #startEmbedded(Map)}, for a broker behind a proxy: it listens on {@code port} too, and tells clients
     * that connect there to come back by {@code advertisedPort}. Both are ports of 127.0.0.1, from {@link FreePort}.
     * Clients of {@link #bootstrapServers} go past the proxy.
     */
    public static TestKafka startEmbeddedAdvertising(int port, int advertisedPort, Map<String, String> brokerSettings) {
        return owning(EmbeddedKafka.startCluster(
                1, List.of(new Listener("PROXIED", SecurityProtocol.PLAINTEXT, port, advertisedPort)), brokerSettings));
    }

    /**
     * As {@link #startEmbedded(Map)}, with a further listener for each of these protocols, named like it: its settings
     * begin with {@code listener.name.ssl.} for instance. The test itself goes past them, in plain text.
     */
    public static TestKafka startEmbeddedSecured(Set<SecurityProtocol> secured, Map<String, String> brokerSettings) {
        List<Listener> listeners = secured.stream().map(Listener::named).toList();
        return owning(EmbeddedKafka.startCluster(1, listeners, brokerSettings));
    }

    /**
     * Starts a cluster of embedded nodes, each broker and controller. With three of them every topic has three
     * replicas, two of them in sync, and the cluster can lose one node.
     *
     * @throws IllegalStateException with the last words of a node that does not start
     */
    public static TestKafka startEmbeddedCluster(int nodes, Map<String, String> brokerSettings) {
        return owning(EmbeddedKafka.startCluster(nodes, List.of(), brokerSettings));
    }

    private static TestKafka owning(List<EmbeddedKafka> nodes) {
        return new TestKafka(
                nodes.stream().map(EmbeddedKafka::bootstrapServers).collect(Collectors.joining(",")), nodes);
    }

    public String bootstrapServers() {
        return bootstrapServers;
    }

    /**
     * The address at which the broker listens with that protocol.
     *
     * @throws UnsupportedOperationException if this is not from {@link #startEmbeddedSecured} with that protocol
     */
    public String bootstrapServers(SecurityProtocol protocol) {
        return node(1).bootstrapServers(protocol);
    }

    /** Kafka's admin client, for operations without a method here; it is closed together with this object. */
    public Admin admin() {
        return admin;
    }

    /** Creates a topic with a unique name and three partitions, and returns the name. */
    public String newTopic(String prefix) {
        return newTopic(prefix, PARTITIONS);
    }

    /** Creates a topic with a unique name, and returns the name. */
    public String newTopic(String prefix, int partitions) {
        String name = prefix + "-"
                + HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong(), 10);
        createTopic(name, partitions);
        return name;
    }

    public void createTopic(String name, int partitions) {
        createTopic(name, partitions, Map.of());
    }

    /** Creates a topic with the broker's default number of replicas (one, on an embedded broker). */
    public void createTopic(String name, int partitions, Map<String, String> configs) {
        NewTopic topic = new NewTopic(name, Optional.of(partitions), Optional.empty()).configs(configs);
        await("create topic " + name, admin.createTopics(Set.of(topic)).all());
    }

    public void deleteTopic(String name) {
        await("delete topic " + name, admin.deleteTopics(Set.of(name)).all());
    }

    private Map<TopicPartition, Long> highWatermarks(Collection<TopicPartition> partitions) {
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", bootstrapServers, "isolation.level", "read_uncommitted"),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer())) {
            return consumer.endOffsets(partitions, ANSWER_MAX);
        }
    }

    /**
     * All committed records of the topics at the time of the call, ordered by topic, partition and offset.
     *
     * <p>Reads as {@code read_committed} and without a consumer group. Waits for transactions that are open at that
     * time: Kafka answers a commit before the transaction's markers are written, so that the last stable offset may
     * still lie before records that are known to be committed.
     *
     * @throws IllegalStateException if a topic does not exist, or if no more records come for a minute
     */
    public List<ConsumerRecord<byte[], byte[]>> readAll(Collection<String> topics) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        readEach(topics, records::add);
        records.sort(Comparator.comparing((ConsumerRecord<byte[], byte[]> record) -> record.topic())
                .thenComparing(ConsumerRecord::partition)
                .thenComparing(ConsumerRecord::offset));
        return records;
    }

    /**
     * As {@link #readAll}, for more records than fit into memory; each partition's come in order, partitions do not.
     */
    public void readEach(Collection<String> topics, Consumer<ConsumerRecord<byte[], byte[]>> reader) {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", bootstrapServers,
                "isolation.level", "read_committed",
                "enable.auto.commit", "false",
                "auto.offset.reset", "earliest",
                "default.api.timeout.ms", (int) ANSWER_MAX.toMillis());
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = topics.stream()
                    .distinct()
                    .flatMap(topic -> partitions(consumer, topic).stream())
                    .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = highWatermarks(partitions);
            long deadline = System.nanoTime() + ANSWER_MAX.toNanos();
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                if (System.nanoTime() - deadline > 0) {
                    throw new IllegalStateException("could not read " + topics + " to the end: nothing more came for "
                            + ANSWER_MAX.toSeconds() + " s");
                }
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(POLL_MAX)) {
                    deadline = System.nanoTime() + ANSWER_MAX.toNanos();
                    // Leaves out records committed after the call, so that all partitions show about the same moment.
                    if (record.offset()
                            < ends.getOrDefault(new TopicPartition(record.topic(), record.partition()), 0L)) {
                        reader.accept(record);
                    }
                }
            }
        } catch (org.apache.kafka.common.errors.TimeoutException e) {
            // For example of a topic that is just being deleted, which some of its metadata still knows.
            throw new IllegalStateException("could not read " + topics + " to the end: " + e.getMessage(), e);
        }
    }

    /** Ends the broker by SIGKILL, and waits until it is gone; of a cluster all nodes. */
    public void kill() {
        owned().forEach(node -> node.broker().kill());
    }

    /** Ends one node of a cluster by SIGKILL, and waits until it is gone; the first one has number 1. */
    public void kill(int node) {
        node(node).broker().kill();
    }

    /** Lets the broker end cleanly (SIGTERM), and waits until it is gone; of a cluster all nodes. */
    public void stop() {
        owned().forEach(EmbeddedKafka::stop);
    }

    /** Starts the stopped or killed broker again, with its data, on the same ports; of a cluster all nodes. */
    public void startAgain() {
        EmbeddedKafka.startAll(owned());
    }

    /** Starts one stopped or killed node of a cluster again, with its data, on the same ports. */
    public void startAgain(int node) {
        node(node).start();
    }

    /** Freezes the broker (SIGSTOP): connections stay, answers do not come; of a cluster all nodes. */
    public void suspend() {
        owned().forEach(node -> node.broker().suspend());
    }

    /** Lets a frozen broker go on (SIGCONT). */
    public void resume() {
        owned().forEach(node -> node.broker().resume());
    }

    /** The process of an embedded broker since its last start: its id, its log; of a cluster the first node's. */
    public ChildProcess process() {
        return node(1).broker();
    }

    /** Kills the broker and deletes its data. */
    @Override
    public void close() {
        List<EmbeddedKafka> closing = owned();
        atExit.cancel();
        admin.close(Duration.ZERO);
        closing.forEach(EmbeddedKafka::close);
    }

    private static List<PartitionInfo> partitions(KafkaConsumer<?, ?> consumer, String topic) {
        List<PartitionInfo> partitions = consumer.partitionsFor(topic);
        if (partitions.isEmpty()) {
            throw new IllegalStateException("cannot read topic " + topic + ": it does not exist");
        }
        return partitions;
    }

    private EmbeddedKafka node(int number) {
        return owned().get(number - 1);
    }

    private List<EmbeddedKafka> owned() {
        if (owned.isEmpty()) {
            throw new UnsupportedOperationException(
                    "the shared Kafka serves other tests too; one that may be stopped comes from startEmbedded()");
        }
        return owned;
    }

    private static TestKafka choose() {
        String bootstrapServers = System.getenv("TEST_KAFKA");
        if (bootstrapServers != null) {
            LOG.info("Tests use the existing Kafka that TEST_KAFKA names: {}.", bootstrapServers);
            TestKafka existing = new TestKafka(bootstrapServers, List.of());
            await(
                    "reach the Kafka that TEST_KAFKA names",
                    existing.admin.describeCluster().nodes());
            return existing;
        }
        if (Docker.answers()) {
            LOG.info("Tests use Kafka in a container ({}): a Docker engine answers.", IMAGE);
            KafkaContainer container = new KafkaContainer(DockerImageName.parse(IMAGE))
                    .withEnv("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
                    .withEnv("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0");
            container.start();
            return new TestKafka(container.getBootstrapServers(), List.of());
        }
        LOG.info("Tests use an embedded Kafka: TEST_KAFKA is not set and no Docker engine answers.");
        return new TestKafka(EmbeddedKafka.start(Map.of()).bootstrapServers(), List.of());
    }

    private static void await(String what, KafkaFuture<?> answer) {
        try {
            answer.get(ANSWER_MAX.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw new IllegalStateException("cannot " + what + ": " + e.getCause(), e.getCause());
        } catch (TimeoutException e) {
            throw new IllegalStateException("could not " + what + " within " + ANSWER_MAX.toSeconds() + " s", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted, could not " + what, e);
        }
    }
}
