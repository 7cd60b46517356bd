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
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/** One Kafka node, broker and controller in one, as a child JVM with its data in a temporary directory. */
final class EmbeddedKafka implements AutoCloseable {

    private static final Duration START_MAX = Duration.ofSeconds(60);
    private static final Duration STOP_MAX = Duration.ofSeconds(60);

    /** What the broker logs once it has registered, caught up with the metadata and been let in. */
    private static final Pattern STARTED = Pattern.compile("KafkaRaftServer .*Kafka Server started");

    private static final List<String> JVM_ARGS = List.of(
            "-Xmx512m",
            "-XX:+UseSerialGC",
            // Starts sooner, and spends half the processor time on a million records; it is no slower even after that.
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            "-Dslf4j.internal.verbosity=WARN",
            "-Dslf4j.provider=" + BrokerLog.class.getName());

    private final TempDirectory directory;
    private final String clusterId = Uuid.randomUuid().toString();
    private final int port = FreePort.find();
    private final int controllerPort = FreePort.find();
    private volatile @Nullable ChildProcess broker;

    private EmbeddedKafka(TempDirectory directory) {
        this.directory = directory;
    }

    static EmbeddedKafka start(Map<String, String> settings) {
        EmbeddedKafka kafka = new EmbeddedKafka(TempDirectory.create("staged-jobs-kafka"));
        try {
            kafka.configure(settings);
            kafka.start();
            return kafka;
        } catch (RuntimeException | Error e) {
            kafka.close();
            throw e;
        }
    }

    String bootstrapServers() {
        return "127.0.0.1:" + port;
    }

    ChildProcess broker() {
        if (broker == null) {
            throw new IllegalStateException("the embedded Kafka was not started");
        }
        return broker;
    }

    void start() {
        if (broker != null && broker.isRunning()) {
            throw new IllegalStateException("the embedded Kafka at " + bootstrapServers() + " already runs");
        }
        broker = ChildJvm.start(
                "kafka-" + port,
                BrokerMain.class,
                JVM_ARGS,
                List.of(directory.path().toString(), clusterId),
                Map.of());
        try {
            broker.awaitLine(STARTED, START_MAX);
            awaitAnswer();
        } catch (AssertionError e) {
            broker.kill();
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

    private void configure(Map<String, String> settings) {
        Properties all = new Properties();
        all.put("process.roles", "broker,controller");
        all.put("node.id", "1");
        all.put("listeners", "PLAINTEXT://" + bootstrapServers() + ",CONTROLLER://127.0.0.1:" + controllerPort);
        all.put("advertised.listeners", "PLAINTEXT://" + bootstrapServers());
        all.put("controller.listener.names", "CONTROLLER");
        all.put("controller.quorum.voters", "1@127.0.0.1:" + controllerPort);
        all.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
        all.put("log.dirs", directory.path().resolve("data").toString());
        // A missing topic must be missing.
        all.put("auto.create.topics.enable", "false");
        // One node, few partitions: the internal topics are made on first use, and each partition costs time.
        all.put("offsets.topic.replication.factor", "1");
        all.put("offsets.topic.num.partitions", "4");
        all.put("transaction.state.log.replication.factor", "1");
        all.put("transaction.state.log.min.isr", "1");
        all.put("transaction.state.log.num.partitions", "4");
        all.put("share.coordinator.state.topic.replication.factor", "1");
        all.put("share.coordinator.state.topic.min.isr", "1");
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
