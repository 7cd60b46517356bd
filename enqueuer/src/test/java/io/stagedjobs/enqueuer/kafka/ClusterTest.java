package io.stagedjobs.enqueuer.kafka;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.faultkit.KafkaFaultProxy;
import io.stagedjobs.testkit.Eventually;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.junit.jupiter.api.Test;

class ClusterTest {

    private static String described(Cluster cluster, String topic) {
        long deadline = cluster.lookUpDeadline();
        return cluster.answer(
                        "describe " + topic, cluster.describe(Set.of(topic)).get(topic), deadline)
                .name();
    }

    @Test
    void after_a_connection_that_was_taken_and_never_answered_it_asks_over_another_one() throws Exception {
        // A topic is waited for a quarter of this: long enough for a busy machine to connect and answer.
        Duration publishTimeout = Duration.ofSeconds(8);
        try (KafkaFaultProxy proxy = KafkaFaultProxy.beforeNewBroker(Map.of());
                Cluster cluster = new Cluster(
                        new KafkaClientSettings(Map.of("bootstrap.servers", proxy.address()), publishTimeout))) {
            String topic = proxy.kafka().newTopic("asked", 1);
            Eventually.until("Kafka answers", () -> answers(cluster, topic));
            long connections = proxy.connectionsAccepted();
            proxy.stall();
            Eventually.until("it has connected to silence", () -> {
                assertThatThrownBy(() -> described(cluster, topic)).isInstanceOf(ExternalFailureException.class);
                return proxy.connectionsAccepted() > connections;
            });
            proxy.heal();
            Eventually.until("Kafka answers again", () -> answers(cluster, topic));
        }
    }

    /** A lane may outlive its enqueuer for a while, and hear only then that nobody answers any more. */
    @Test
    void after_its_end_it_connects_to_nobody_any_more() throws Exception {
        long before = adminClients();
        try (KafkaFaultProxy proxy = KafkaFaultProxy.beforeNewBroker(Map.of())) {
            String topic = proxy.kafka().newTopic("asked", 1);
            Cluster cluster = new Cluster(
                    new KafkaClientSettings(Map.of("bootstrap.servers", proxy.address()), Duration.ofMillis(100)));
            Eventually.until("Kafka answers", () -> answers(cluster, topic));
            proxy.stall();
            KafkaFuture<TopicDescription> asked =
                    cluster.describe(Set.of(topic)).get(topic);
            cluster.close();
            assertThatThrownBy(() -> cluster.answer("describe", asked, System.nanoTime() + 10_000_000_000L))
                    .isInstanceOf(ExternalFailureException.class);
            Eventually.until("no client is left", () -> adminClients() == before);
        }
    }

    private static long adminClients() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("kafka-admin-client-thread | staged-jobs-enqueuer"))
                .count();
    }

    private static boolean answers(Cluster cluster, String topic) {
        try {
            return described(cluster, topic).equals(topic);
        } catch (ExternalFailureException notYet) {
            return false;
        }
    }
}
