package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.NewTopic;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An application with a topic for each of its customers; {@code -Dmany.topics=4000} says how many it has. */
class ManyTopicsTest {

    private static final int TOPICS = Integer.getInteger("many.topics", 200);
    private static final int JOBS_OF_EACH = 4;
    private static final Duration DRAIN_MAX = Duration.ofSeconds(60 + TOPICS / 10);

    @ParameterizedTest
    @ValueSource(strings = {"exactly-once", "at-least-once"})
    void jobs_of_very_many_topics_are_all_published_and_none_is_held(String delivery) throws Exception {
        try (TestKafka kafka = TestKafka.startEmbedded();
                Outbox outbox = new Outbox(TestPostgres.shared(), kafka, "many")) {
            List<String> topics =
                    IntStream.range(0, TOPICS).mapToObj(i -> "customer-" + i).toList();
            Publisher publisher = delivery.equals("exactly-once") ? outbox.exactlyOnce() : outbox.publisher(Map.of());
            create(kafka, topics);
            for (int i = 0; i < JOBS_OF_EACH; i++) {
                outbox.dsl()
                        .execute(
                                "INSERT INTO staged_jobs (topic, job_key, job_name, payload) SELECT 'customer-' ||"
                                        + " n, 'k', ?, '{}' FROM generate_series(0, ?) AS n",
                                "" + i,
                                TOPICS - 1);
            }
            long begun = System.nanoTime();
            outbox.enqueuer(publisher).start();
            Eventually.until("nothing waits", DRAIN_MAX, () -> outbox.waiting() == 0);
            System.out.printf(
                    "%s: %d jobs of %d topics in %d ms%n",
                    delivery, TOPICS * JOBS_OF_EACH, TOPICS, (System.nanoTime() - begun) / 1_000_000);
            assertThat(outbox.aside()).isEmpty();
            Map<String, String> read = new HashMap<>();
            outbox.read(topics.toArray(String[]::new))
                    .forEach(record -> read.merge(record.topic(), Outbox.header(record, "ce_type"), String::concat));
            assertThat(read).hasSize(TOPICS);
            if (delivery.equals("exactly-once")) {
                assertThat(Set.copyOf(read.values())).containsExactly("0123");
            } else { // a slow machine repeats some
                assertThat(read.values())
                        .allSatisfy(numbers -> assertThat(numbers).contains("0", "1", "2", "3"));
            }
        }
    }

    private static void create(TestKafka kafka, List<String> topics) throws Exception {
        for (int i = 0; i < topics.size(); i += 500) {
            Set<NewTopic> some = topics.subList(i, Math.min(i + 500, topics.size())).stream()
                    .map(topic -> new NewTopic(topic, 1, (short) 1))
                    .collect(Collectors.toSet());
            kafka.admin().createTopics(some).all().get(120, TimeUnit.SECONDS);
        }
        Eventually.until(
                "the broker knows them all",
                () -> kafka.admin().listTopics().names().get().containsAll(topics));
    }
}
