package io.stagedjobs.enqueuer.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.ChannelContract;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Progress;
import io.stagedjobs.enqueuer.Publisher;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.TimeoutException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;

/** A real Kafka, of three nodes, keeps the contract about what it has decided and cannot end. */
@Tag("long")
class SecondChannelTest implements ChannelContract {

    private static final int VICTIM = 2;

    private static TestKafka kafka;

    private final String name = UUID.randomUUID().toString();
    private final KafkaClientSettings settings =
            new KafkaClientSettings(Map.of("bootstrap.servers", kafka.bootstrapServers()), Duration.ofSeconds(10));
    private final ExactlyOncePublisher publisher =
            new ExactlyOncePublisher(settings, name, "/tests", new SimpleMeterRegistry());
    private String healthy;
    private boolean victimIsDead;
    private long ids;

    @BeforeAll
    static void startCluster() {
        kafka = TestKafka.startEmbeddedCluster(3, Map.of());
    }

    @AfterAll
    static void stopCluster() {
        kafka.close();
    }

    @BeforeEach
    void createTopics() throws Exception {
        healthy = kafka.newTopic("healthy", 1);
        NewTopic onVictim =
                new NewTopic(sick(), Map.of(0, List.of(VICTIM))).configs(Map.of("min.insync.replicas", "1"));
        kafka.admin().createTopics(Set.of(onVictim)).all().get(30, TimeUnit.SECONDS);
        publisher.check(LANE + 1);
    }

    @AfterEach
    void close() {
        publisher.close();
        mend();
    }

    @Override
    public Publisher publisher() {
        return publisher;
    }

    @Override
    public String healthy() {
        return healthy;
    }

    @Override
    public String sick() {
        return "sick-" + name;
    }

    @Override
    public Job job(String topic) {
        return new Job(++ids, UUID.randomUUID(), topic, "k", "job", new byte[0], null, Instant.EPOCH);
    }

    @Override
    public void leaveBehind(List<Job> jobs, boolean committed) throws Exception {
        KafkaProducer<byte[], byte[]> owner =
                new KafkaProducer<>(settings.transactionalProducer("staged-jobs-" + name + "-" + LANE + "-0", LANE));
        try (Cluster cluster = new Cluster(settings)) {
            ProgressTopic progress = new ProgressTopic("staged-jobs-progress-" + name, settings, cluster);
            Eventually.until("a producer may start", () -> started(owner));
            owner.beginTransaction();
            for (ProducerRecord<byte[], byte[]> record :
                    new CloudEvents("/tests").records(jobs).records()) {
                owner.send(record).get();
            }
            RecordMetadata written =
                    owner.send(progress.record(LANE, Progress.of(0, 1, jobs))).get();
            assertThat(written.partition()).isEqualTo(LANE);
            victimIsDead = true;
            kafka.kill(VICTIM);
            Eventually.until("the cluster knows", this::sickIsLeaderless);
            if (committed) {
                owner.commitTransaction();
            }
        } finally {
            owner.close(Duration.ZERO); // with more time it would end what it has open
        }
    }

    private static boolean started(KafkaProducer<byte[], byte[]> producer) {
        try {
            producer.initTransactions();
            return true;
        } catch (TimeoutException notYet) {
            return false;
        }
    }

    private boolean sickIsLeaderless() throws Exception {
        return kafka.admin()
                        .describeTopics(Set.of(sick()))
                        .allTopicNames()
                        .get(30, TimeUnit.SECONDS)
                        .get(sick())
                        .partitions()
                        .get(0)
                        .leader()
                == null;
    }

    @Override
    public void mend() {
        if (victimIsDead) {
            victimIsDead = false;
            kafka.startAgain(VICTIM);
        }
    }

    @Override
    public List<UUID> visible(String topic) {
        return kafka.readAll(List.of(topic)).stream()
                .map(record -> UUID.fromString(
                        new String(record.headers().lastHeader("ce_id").value(), UTF_8)))
                .toList();
    }
}
