package io.stagedjobs.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.jspecify.annotations.Nullable;

/**
 * One Kafka node, broker and controller in one, as a child JVM with its data in a temporary directory. It stands alone or
 * is one of a cluster.
 */
final class EmbeddedKafka implements AutoCloseable {

    private static final Duration START_MAX = Duration.ofSeconds(60);
    private static final Duration STOP_MAX = Duration.ofSeconds(60);

    /** What the broker logs once it has registered, caught up with the metadata and been let in. */
    private static final Pattern STARTED = Pattern.compile("KafkaRaftServer .*Kafka Server started");

    private static final int REPLICAS_MAX = 3;

    private static final List<String> JVM_ARGS = List.of(
            "-Xmx512m",
            "-XX:+UseSerialGC",
            // Starts sooner, and spends half the processor time on a million records; it is no slower even after that.
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            "-Dslf4j.internal.verbosity=WARN",
            "-Dslf4j.provider=" + BrokerLog.class.getName());

    private final TempDirectory directory;
    private final String clusterId;
    private final int id;
    private final int port = FreePort.find();
    private final int controllerPort = FreePort.find();
    private final int portBehindProxy = FreePort.find();

    /** Further listeners, each named like its protocol. */
    private final Map<SecurityProtocol, Integer> securedPorts;

    /** Null if clients reach the broker directly only. */
    private final @Nullable KafkaFaultProxy proxy;

    private volatile @Nullable ChildProcess broker;

    private EmbeddedKafka(String clusterId, int id, boolean behindProxy, Set<SecurityProtocol> secured) {
        this.directory = TempDirectory.create("staged-jobs-kafka");
        this.clusterId = clusterId;
        this.id = id;
        this.proxy = behindProxy ? new KafkaFaultProxy(FreePort.find(), portBehindProxy) : null;
        this.securedPorts =
                secured.stream().collect(Collectors.toMap(protocol -> protocol, protocol -> FreePort.find()));
    }

    /** A node that stands alone. */
    static EmbeddedKafka start(Map<String, String> settings) {
        return startCluster(1, false, settings).get(0);
    }

    /** A node that stands alone and listens with each of these protocols, too. */
    static EmbeddedKafka startSecured(Set<SecurityProtocol> secured, Map<String, String> settings) {
        return startAll(List.of(new EmbeddedKafka(Uuid.randomUuid().toString(), 1, false, secured)), settings)
                .get(0);
    }

    /** Nodes numbered from 1. They start together, because a minority would wait for the others. */
    static List<EmbeddedKafka> startCluster(int nodes, boolean behindProxy, Map<String, String> settings) {
        String clusterId = Uuid.randomUuid().toString();
        return startAll(
                IntStream.rangeClosed(1, nodes)
                        .mapToObj(id -> new EmbeddedKafka(clusterId, id, behindProxy, Set.of()))
                        .toList(),
                settings);
    }

    private static List<EmbeddedKafka> startAll(List<EmbeddedKafka> cluster, Map<String, String> settings) {
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
        Integer secured = securedPorts.get(protocol);
        if (secured == null) {
            throw new UnsupportedOperationException("this Kafka does not listen with " + protocol);
        }
        return "127.0.0.1:" + secured;
    }

    ChildProcess broker() {
        if (broker == null) {
            throw new IllegalStateException("the embedded Kafka was not started");
        }
        return broker;
    }

    KafkaFaultProxy proxy() {
        if (proxy == null) {
            throw new UnsupportedOperationException(
                    "this Kafka stands behind no proxy; one that does comes from startEmbeddedBehindProxy()");
        }
        return proxy;
    }

    private void launch() {
        if (proxy != null) {
            proxy.listen();
        }
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

    /** Lets the broker finish cleanly; one that does not is killed. */
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
        if (proxy != null) {
            proxy.close();
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
        String controller = ",CONTROLLER://127.0.0.1:" + controllerPort;
        String secured = securedPorts.keySet().stream()
                .map(protocol -> "," + protocol + "://" + bootstrapServers(protocol))
                .collect(Collectors.joining());
        if (proxy == null) {
            all.put("listeners", "PLAINTEXT://" + bootstrapServers() + secured + controller);
            all.put("advertised.listeners", "PLAINTEXT://" + bootstrapServers() + secured);
        } else {
            // Who came by the proxy is told to come by the proxy again, and who did not, not.
            String behindProxy = ",PROXIED://127.0.0.1:" + portBehindProxy;
            all.put("listeners", "PLAINTEXT://" + bootstrapServers() + behindProxy + controller);
            all.put("advertised.listeners", "PLAINTEXT://" + bootstrapServers() + ",PROXIED://" + proxy.address());
        }
        all.put("controller.listener.names", "CONTROLLER");
        all.put(
                "controller.quorum.voters",
                cluster.stream()
                        .map(node -> node.id + "@127.0.0.1:" + node.controllerPort)
                        .collect(Collectors.joining(",")));
        all.put(
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT"
                        + securedPorts.keySet().stream()
                                .map(protocol -> "," + protocol + ":" + protocol)
                                .collect(Collectors.joining()));
        all.put("log.dirs", directory.path().resolve("data").toString());
        // A missing topic must be missing.
        all.put("auto.create.topics.enable", "false");
        // One node can be lost where there are three.
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
        // A killed broker is let in again only when its old session has run out, 9 s by default. Longer than any pause
        // that the collector or a busy machine makes.
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
}
