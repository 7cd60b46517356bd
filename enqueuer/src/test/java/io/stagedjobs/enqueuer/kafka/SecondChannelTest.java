package io.stagedjobs.enqueuer.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.Batch;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.OutsideException;
import io.stagedjobs.enqueuer.Progress;
import io.stagedjobs.enqueuer.Publisher;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A topic of a lane's last transaction loses its only broker: what Kafka has decided, and what a second channel can do. */
@Tag("long")
class SecondChannelTest {

    private static final int LANE = 0;

    private static TestKafka kafka;

    @BeforeAll
    static void startCluster() {
        kafka = TestKafka.startEmbeddedCluster(3, Map.of());
    }

    @AfterAll
    static void stopCluster() {
        kafka.close();
    }

    private static Job job(long id, String topic) {
        return new Job(id, UUID.randomUUID(), topic, "k", "job." + id, new byte[0], null, Instant.EPOCH);
    }

    private static String numberOf(String topic) {
        return "" + kafka.readAll(List.of(topic)).size();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void what_is_decided_is_read_and_the_lane_publishes_on_before_the_broker_is_back(boolean committed)
            throws Exception {
        String name = "second-" + committed;
        String sick = "sick-" + name;
        String healthy = kafka.newTopic("healthy", 1);
        kafka.admin()
                .createTopics(
                        Set.of(new NewTopic(sick, Map.of(0, List.of(2))).configs(Map.of("min.insync.replicas", "1"))))
                .all()
                .get(30, TimeUnit.SECONDS);
        KafkaClientSettings settings =
                new KafkaClientSettings(Map.of("bootstrap.servers", kafka.bootstrapServers()), Duration.ofSeconds(10));
        ExactlyOncePublisher publisher = new ExactlyOncePublisher(settings, name, "/tests", new SimpleMeterRegistry());
        publisher.check(1);
        List<Job> first = List.of(job(1, healthy), job(2, sick));
        try (Cluster cluster = new Cluster(settings);
                KafkaProducer<byte[], byte[]> earlier = new KafkaProducer<>(
                        settings.transactionalProducer("staged-jobs-" + name + "-" + LANE + "-0", LANE))) {
            ProgressTopic progress = new ProgressTopic("staged-jobs-progress-" + name, settings, cluster);
            Eventually.until("a producer may start", () -> {
                try {
                    earlier.initTransactions();
                    return true;
                } catch (org.apache.kafka.common.errors.TimeoutException notYet) {
                    return false;
                }
            });
            earlier.beginTransaction();
            for (ProducerRecord<byte[], byte[]> record :
                    new CloudEvents("/tests").records(first).records()) {
                earlier.send(record).get();
            }
            RecordMetadata written =
                    earlier.send(progress.record(LANE, 1, first)).get();
            assertThat(written.partition()).isEqualTo(LANE);
            kafka.kill(2);
            try {
                Eventually.until("the cluster knows", () -> leaderless(sick));
                if (committed) {
                    earlier.commitTransaction();
                }
                assertThatThrownBy(() -> publisher.open(LANE, 0))
                        .isInstanceOf(OutsideException.class)
                        .hasMessageContaining("could not start transactions");
                Eventually.until(
                        "its end is decided", () -> publisher.decided(LANE, 0).isPresent());
                Optional<Progress> decided = publisher.decided(LANE, 0);
                assertThat(decided)
                        .hasValueSatisfying(found -> assertThat(found.batch()).isEqualTo(committed ? 1 : 0));
                try (Publisher.Session session = publisher.open(LANE, 1)) {
                    assertThat(session.progress()).isEqualTo(decided);
                    Batch next = new Batch(committed ? 2 : 1, List.of(job(3, healthy), job(4, sick)));
                    assertThat(session.publish(next).refusedTopics()).containsOnlyKeys(sick);
                    assertThat(session.publish(new Batch(next.number() + 1, List.of(job(5, healthy))))
                                    .published())
                            .hasSize(1);
                }
            } finally {
                kafka.startAgain(2);
            }
            Eventually.until("it is ended everywhere", () -> {
                try (Publisher.Session session = publisher.open(LANE, 0)) {
                    return session.progress().isPresent();
                } catch (OutsideException notYet) {
                    return false;
                }
            });
            assertThat(publisher.decided(LANE, 0)).isEmpty();
            assertThat(numberOf(sick)).isEqualTo(committed ? "1" : "0");
            assertThat(numberOf(healthy)).isEqualTo(committed ? "3" : "2");
        }
        publisher.close();
    }

    private static boolean leaderless(String topic) throws Exception {
        return kafka.admin()
                        .describeTopics(Set.of(topic))
                        .allTopicNames()
                        .get(30, TimeUnit.SECONDS)
                        .get(topic)
                        .partitions()
                        .get(0)
                        .leader()
                == null;
    }
}
