package io.stagedjobs.enqueuer.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Refusal.Reason;
import io.stagedjobs.faultkit.KafkaFaultProxy;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is asked about topics, and what of a batch may go out, whatever the answers are. */
class TopicsTest {

    private static final int PARTITIONS_MAX = 3;

    private static KafkaFaultProxy proxy;
    private static TestKafka kafka;

    private final KafkaClientSettings settings =
            new KafkaClientSettings(Map.of("bootstrap.servers", proxy.address()), Duration.ofSeconds(8));
    private Cluster cluster;
    private Topics topics;

    @BeforeAll
    static void startKafka() {
        proxy = KafkaFaultProxy.beforeNewBroker(Map.of());
        kafka = proxy.kafka();
    }

    @AfterAll
    static void stopKafka() {
        proxy.close();
    }

    @BeforeEach
    void open() {
        cluster = new Cluster(settings);
        topics = new Topics(cluster, settings, PARTITIONS_MAX);
    }

    @AfterEach
    void close() {
        proxy.heal();
        cluster.close();
    }

    private static List<Job> jobs(String... topics) {
        return Arrays.stream(topics).map(topic -> job(topic, "k")).toList();
    }

    private static Job job(String topic, String key) {
        return new Job(1, UUID.randomUUID(), topic, key, "name", new byte[0], null, Instant.EPOCH);
    }

    private List<String> together(String... names) {
        return topics.find(jobs(names)).together().stream().map(Job::topic).toList();
    }

    private void awaitKnown(String topic) throws Exception {
        Eventually.until("Kafka has told of " + topic, () -> {
            try {
                return together(topic).equals(List.of(topic));
            } catch (ExternalFailureException notYet) {
                return false;
            }
        });
    }

    @Test
    void a_topic_that_kafka_says_nothing_of_in_time_keeps_no_other_one_back_and_its_late_answer_counts()
            throws Exception {
        String known = kafka.newTopic("known", 1);
        String late = kafka.newTopic("late", 1);
        awaitKnown(known);
        proxy.stall();
        assertThat(together(late, known, late, known)).containsExactly(known, known);
        assertThatThrownBy(() -> together(late)).isInstanceOf(ExternalFailureException.class);
        assertThat(topics.refused(Set.of(late, known)))
                .containsOnlyKeys(late)
                .hasEntrySatisfying(
                        late, refusal -> assertThat(refusal.reason()).isEqualTo(Reason.TOPIC_UNAVAILABLE));
        proxy.heal();
        awaitKnown(late);
        assertThat(together(late, known)).containsExactly(late, known);
    }

    @Test
    void what_is_known_of_other_topics_outlives_the_trouble_of_one() throws Exception {
        String known = kafka.newTopic("known", 1);
        String troubled = kafka.newTopic("troubled", 1);
        awaitKnown(known);
        awaitKnown(troubled);
        topics.forget(jobs(troubled));
        proxy.stall();
        assertThat(together(known, troubled)).containsExactly(known);
    }

    @Test
    void a_batch_writes_to_a_bounded_number_of_partitions() throws Exception {
        String wide = kafka.newTopic("wide", 5);
        String one = kafka.newTopic("one", 1);
        String other = kafka.newTopic("other", 1);
        String another = kafka.newTopic("another", 1);
        for (String topic : List.of(wide, one, other, another)) {
            awaitKnown(topic);
        }
        assertThat(together(one, one, other, one, another, other, wide))
                .containsExactly(one, one, other, one, another, other);
        List<Job> keys =
                List.of(job(wide, "1"), job(wide, "2"), job(wide, "1"), job(wide, "3"), job(wide, "2"), job(wide, "4"));
        assertThat(topics.find(keys).together()).isEqualTo(keys.subList(0, 5));
    }
}
