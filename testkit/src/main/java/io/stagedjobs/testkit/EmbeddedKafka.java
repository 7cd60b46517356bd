package io.stagedjobs.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.jspecify.annotations.Nullable;

/**
 * One Kafka node, broker and controller in one, as a child JVM with its data in a temporary directory. It is a single
 * node or one of a cluster.
 */
final class EmbeddedKafka implements AutoCloseable {

    private static final Duration START_MAX = Duration.ofSeconds(60);
    private static final Duration STOP_MAX = Duration.ofSeconds(60);

    /** The broker logs this once it has registered, has the metadata and is unfenced. */
    private static final Pattern STARTED = Pattern.compile("KafkaRaftServer .*Kafka Server started");

    private static final int REPLICAS_MAX = 3;

    private static final List<String> JVM_ARGS = List.of(
            "-Xmx512m",
            "-XX:+UseSerialGC",
            // Starts sooner, and uses half the processor time for a million records; it is not slower later either.
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            "-Dslf4j.internal.verbosity=WARN",
            "-Dslf4j.provider=" + BrokerLog.class.getName());

    private final TempDirectory directory;
    private final String clusterId;
    private final int id;
    private final int port = FreePort.find();
    private final int controllerPort = FreePort.find();

    /** Listeners beside the plain-text one that tests use. */
    private final List<Listener> moreListeners;

    private volatile @Nullable ChildProcess broker;

    /**
     * A listener of a node.
     *
     * @param advertisedPort the port that clients connect to
     */
    record Listener(String name, SecurityProtocol protocol, int port, int advertisedPort) {

        /** One named like its protocol, on a free port. */
        static Listener named(SecurityProtocol protocol) {
            int port = FreePort.find();
            return new Listener(protocol.name, protocol, port, port);
        }

        private String at(int where) {
            return "," + name + "://127.0.0.1:" + where;
        }
    }

    private EmbeddedKafka(String clusterId, int id, List<Listener> moreListeners) {
        this.directory = TempDirectory.create("staged-jobs-kafka");
        this.clusterId = clusterId;
        this.id = id;
        this.moreListeners = moreListeners;
    }

    /** A single node. */
    static EmbeddedKafka start(Map<String, String> settings) {
        return startCluster(1, List.of(), settings).get(0);
    }

    /**
     * Nodes numbered from 1. They start together, because a minority would wait for the others.
     *
     * @param moreListeners of a single node
     */
    static List<EmbeddedKafka> startCluster(int nodes, List<Listener> moreListeners, Map<String, String> settings) {
        String clusterId = Uuid.randomUuid().toString();
        List<EmbeddedKafka> cluster = IntStream.rangeClosed(1, nodes)
                .mapToObj(id -> new EmbeddedKafka(clusterId, id, moreListeners))
                .toList();
        try {
            cluster.forEach(node -> node.configure(cluster, settings));
            startAll(cluster);
            return cluster;
        } catch (RuntimeException | Error e) {
            cluster.forEach(EmbeddedKafka::close);
            throw e;
        }
    }

    static void startAll(List<EmbeddedKafka> nodes) {
        nodes.forEach(EmbeddedKafka::launch);
        nodes.forEach(EmbeddedKafka::awaitStarted);
    }

    void start() {
        startAll(List.of(this));
    }

    String bootstrapServers() {
        return "127.0.0.1:" + port;
    }

    String bootstrapServers(SecurityProtocol protocol) {
        return moreListeners.stream()
                .filter(listener -> listener.protocol == protocol)
                .findFirst()
                .map(listener -> "127.0.0.1:" + listener.port)
                .orElseThrow(() -> new UnsupportedOperationException("this Kafka does not listen with " + protocol));
    }

    ChildProcess broker() {
        if (broker == null) {
            throw new IllegalStateException("the embedded Kafka was not started");
        }
        return broker;
    }

    private void launch() {
        if (broker != null && broker.isRunning()) {
            throw new IllegalStateException("the embedded Kafka at " + bootstrapServers() + " already runs");
        }
        broker = ChildJvm.start(
                "kafka-" + id + "-" + port,
                BrokerMain.class,
                JVM_ARGS,
                List.of(directory.path().toString(), clusterId),
                Map.of());
    }

    private void awaitStarted() {
        try {
            broker().awaitLine(STARTED, START_MAX);
            awaitAnswer();
        } catch (AssertionError e) {
            broker().kill();
            throw new IllegalStateException("the embedded Kafka does not start: " + e.getMessage(), e);
        }
    }

    /** Lets the broker end cleanly; kills it if it does not. */
    void stop() {
        ChildProcess stopping = broker();
        stopping.terminate();
        try {
            stopping.awaitExit(STOP_MAX);
        } finally {
            stopping.kill();
        }
    }

    @Override
    public void close() {
        if (broker != null) {
            broker.kill();
        }
        directory.close();
    }

    private void awaitAnswer() {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrapServers()))) {
            admin.describeCluster().nodes().get(START_MAX.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw broker().failure("does not answer at " + bootstrapServers() + " (" + e + ")");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for the embedded Kafka", e);
        }
    }

    private void configure(List<EmbeddedKafka> cluster, Map<String, String> settings) {
        Properties all = new Properties();
        all.put("process.roles", "broker,controller");
        all.put("node.id", "" + id);
        String plaintext = "PLAINTEXT://" + bootstrapServers();
        all.put(
                "listeners",
                plaintext + joined(listener -> listener.at(listener.port)) + ",CONTROLLER://127.0.0.1:"
                        + controllerPort);
        all.put("advertised.listeners", plaintext + joined(listener -> listener.at(listener.advertisedPort)));
        all.put("controller.listener.names", "CONTROLLER");
        all.put(
                "controller.quorum.voters",
                cluster.stream()
                        .map(node -> node.id + "@127.0.0.1:" + node.controllerPort)
                        .collect(Collectors.joining(",")));
        all.put(
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
                        + joined(listener -> "," + listener.name + ":" + listener.protocol));
        all.put("log.dirs", directory.path().resolve("data").toString());
        // A missing topic must be missing.
        all.put("auto.create.topics.enable", "false");
        // A cluster of three can lose one node.
        String replicas = "" + Math.min(cluster.size(), REPLICAS_MAX);
        String inSyncMin = cluster.size() < REPLICAS_MAX ? "1" : "2";
        all.put("default.replication.factor", replicas);
        all.put("min.insync.replicas", inSyncMin);
        // Few partitions: the internal topics are made on first use, and each partition costs time.
        all.put("offsets.topic.replication.factor", replicas);
        all.put("offsets.topic.num.partitions", "4");
        all.put("transaction.state.log.replication.factor", replicas);
        all.put("transaction.state.log.min.isr", inSyncMin);
        all.put("transaction.state.log.num.partitions", "4");
        all.put("share.coordinator.state.topic.replication.factor", replicas);
        all.put("share.coordinator.state.topic.min.isr", inSyncMin);
        all.put("share.coordinator.state.topic.num.partitions", "4");
        all.put("group.initial.rebalance.delay.ms", "0");
        // A killed broker may register again only when its old session has expired, 9 s by default. The timeout must be
        // longer than any pause of the garbage collector or of a busy machine.
        all.put("broker.session.timeout.ms", "3000");
        all.put("broker.heartbeat.interval.ms", "500");
        // Few threads and small buffers: it shares the machine with the tests.
        all.put("num.network.threads", "2");
        all.put("num.io.threads", "4");
        all.put("log.cleaner.dedupe.buffer.size", "4194304");
        all.putAll(settings);
        try (Writer writer = Files.newBufferedWriter(directory.path().resolve(BrokerMain.CONFIGURATION))) {
            all.store(writer, null);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write the configuration of the embedded Kafka", e);
        }
    }

    private String joined(Function<Listener, String> part) {
        return moreListeners.stream().map(part).collect(Collectors.joining());
    }
}
