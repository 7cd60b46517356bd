package io.stagedjobs.enqueuer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.schema.Schema;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Jobs that cannot be published now, or ever, step by step in one lane: what follows of their keys waits behind them,
 * all others flow. In both delivery modes.
 */
@ParameterizedClass
@ValueSource(strings = {"exactly-once", "at-least-once"})
class MovedAsideTest {

    private static final String KEY = "k";

    private final String delivery;
    private final AtomicLong nanoTime = new AtomicLong();
    private Outbox outbox;
    private PostgresLanes lanes;
    private Publisher publisher;
    private String topic;
    private int lane;

    MovedAsideTest(String delivery) {
        this.delivery = delivery;
    }

    @BeforeEach
    void open() {
        outbox = new Outbox("aside");
        lanes = outbox.lanes();
        publisher = publisher(Map.of());
        topic = outbox.kafka.newTopic("aside", 1);
        lane = outbox.laneOf(topic, KEY);
        lanes.membership().beat();
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private Publisher publisher(Map<String, String> properties) {
        return delivery.equals("exactly-once") ? outbox.exactlyOnce(properties) : outbox.publisher(properties);
    }

    private LaneRunner runner() {
        return outbox.runner(lane, lanes, publisher, nanoTime::get);
    }

    private void turns(LaneRunner runner, int turns) {
        for (int i = 0; i < turns; i++) {
            runner.runOnce();
        }
    }

    private void lookAgain() {
        nanoTime.addAndGet(MovedAside.LOOK_EVERY.toNanos());
    }

    /** A key of that topic whose jobs share the lane, so that one runner moves them. */
    private String keyIn(String topic) {
        return outbox.keyOfLane(topic, lane);
    }

    private void stageLarge(String topic, String key, String name) {
        stage(topic, key, name, 10_000);
    }

    private void stage(String topic, String key, String name, int bytes) {
        byte[] random = new byte[bytes];
        new Random(7).nextBytes(random); // compression must not make it fit
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, ?, ?)",
                        topic,
                        key,
                        name,
                        random);
    }

    private String narrowTopic() {
        String narrow = topic + ".narrow";
        outbox.kafka.createTopic(narrow, 1, Map.of("max.message.bytes", "2000"));
        return narrow;
    }

    private void unreadable(String key, String name, String headers, String stagedAt) {
        outbox.stageUncheckedIn(
                lane,
                "topic, job_key, job_name, payload, headers, staged_at",
                topic,
                key,
                name,
                new byte[0],
                DSL.field("?::jsonb", headers),
                DSL.field("?::timestamptz", stagedAt));
    }

    /** The table refuses such rows; one that is there all the same costs nobody but itself and its key. */
    @Test
    void a_job_that_cannot_be_read_is_parked_with_what_follows_of_its_key_and_the_others_flow_once() {
        LaneRunner runner = runner();
        outbox.stage(topic, KEY, "before");
        unreadable(KEY, "array", "{\"roles\": [\"admin\"]}", "2026-11-28");
        outbox.stage(topic, KEY, "follows");
        String other = outbox.keyOfLane(topic, lane, KEY);
        outbox.stage(topic, other, "other.1");
        unreadable(other, "long", "{\"" + "n".repeat(60_000) + "\": \"1\"}", "2026-11-28");
        String third = outbox.keyOfLane(topic, lane, KEY, other);
        outbox.stage(topic, third, "third.1");
        unreadable(third, "number", "{\"n\": 1}", "2026-11-28");
        String fourth = outbox.keyOfLane(topic, lane, KEY, other, third);
        outbox.stage(topic, fourth, "fourth.1");
        turns(runner, 10);
        assertThat(outbox.namesIn(topic)).containsExactly("before", "other.1", "third.1", "fourth.1");
        assertThat(outbox.waiting()).isZero();
        assertThat(outbox.aside())
                .containsExactly(
                        "array parked: refused",
                        "follows parked: follows",
                        "long parked: refused",
                        "number parked: refused");
    }

    @Test
    void a_batch_that_is_deleted_while_kafka_has_it_keeps_the_jobs_that_kafka_refuses() {
        String narrow = narrowTopic();
        outbox.stage(topic, KEY, "first");
        stageLarge(narrow, keyIn(narrow), "large");
        outbox.stage(topic, KEY, "second");
        LaneRunner runner = outbox.runner(lane, lanes, publisher, nanoTime::get, new BatchLimits(3, 1_000_000));
        turns(runner, 3);
        assertThat(outbox.namesIn(topic)).containsExactly("first", "second");
        assertThat(outbox.waiting()).isZero();
        assertThat(outbox.aside()).containsExactly("large parked: too large");
    }

    @Test
    void jobs_of_a_missing_topic_are_held_and_return_in_order_when_it_exists_and_the_others_flow() {
        String missing = topic + ".missing";
        LaneRunner runner = runner();
        outbox.stage(missing, keyIn(missing), "held.1");
        outbox.stage(topic, KEY, "flows");
        outbox.stage(missing, keyIn(missing), "held.2");
        turns(runner, 2);
        assertThat(outbox.namesIn(topic)).containsExactly("flows");
        assertThat(outbox.waiting()).isZero();
        assertThat(outbox.aside()).containsExactly("held.1 held: topic missing", "held.2 held: topic missing");

        outbox.stage(missing, keyIn(missing), "joins");
        turns(runner, 1);
        nanoTime.addAndGet(1_000_000_000);
        turns(runner, 1);
        assertThat(outbox.aside()).hasSize(3);

        outbox.kafka.createTopic(missing, 1);
        lookAgain();
        outbox.stage(missing, keyIn(missing), "after");
        turns(runner, 3);
        assertThat(outbox.namesIn(missing)).containsExactly("held.1", "held.2", "joins", "after");
        assertThat(outbox.waiting()).isZero();
        assertThat(outbox.aside()).isEmpty();
    }

    @Test
    void a_returning_job_is_the_one_that_was_staged() {
        String missing = topic + ".missing";
        LaneRunner runner = runner();
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload, headers) VALUES (?, ?, 'n', ?,"
                                + " '{\"a\": \"b\"}')",
                        missing,
                        keyIn(missing),
                        new byte[] {1, 2, 0, 3});
        var staged = outbox.dsl().fetchSingle("SELECT * FROM staged_jobs");
        turns(runner, 1);
        assertThat(outbox.aside()).hasSize(1);
        outbox.dsl().execute("INSERT INTO staged_job_pauses (topic) VALUES (?)", missing);
        outbox.pauses.set(Set.of(Membership.ALL_TOPICS));
        lanes.begin(lane, 1).ifPresent(transaction -> {
            assertThat(transaction
                            .putBack(missing, new BatchLimits(10, 1_000_000))
                            .rows())
                    .isEqualTo(1);
            transaction.commit();
            transaction.close();
        });
        assertThat(outbox.dsl().fetchSingle("SELECT * FROM staged_jobs").intoList())
                .usingRecursiveComparison()
                .isEqualTo(staged.intoList());
    }

    @Test
    void held_jobs_return_in_several_pieces_and_nothing_overtakes_them() {
        String missing = topic + ".missing";
        String key = keyIn(missing);
        LaneRunner runner = outbox.runner(lane, lanes, publisher, nanoTime::get, new BatchLimits(3, 1_000_000));
        List<String> names = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            names.add("held." + i);
            outbox.stage(missing, key, "held." + i);
        }
        turns(runner, 8);
        assertThat(outbox.aside()).hasSize(10);
        outbox.kafka.createTopic(missing, 1);
        lookAgain();
        runner.runOnce();
        names.add("later");
        outbox.stage(missing, key, "later");
        while (outbox.waiting() > 0) {
            runner.runOnce();
        }
        assertThat(outbox.namesIn(missing)).containsExactlyElementsOf(names);
        assertThat(outbox.aside()).isEmpty();
    }

    @Test
    void what_follows_a_parked_job_of_its_key_joins_it_and_other_keys_flow() {
        String narrow = narrowTopic();
        String key = keyIn(narrow);
        LaneRunner runner = runner();
        outbox.stage(narrow, key, "before");
        stageLarge(narrow, key, "too.large");
        outbox.stage(narrow, key, "follows");
        outbox.stage(topic, KEY, "flows");
        turns(runner, 4);
        outbox.stage(narrow, key, "follows.later");
        nanoTime.addAndGet(1_000_000_000);
        turns(runner, 2);
        assertThat(outbox.namesIn(narrow)).containsExactly("before");
        assertThat(outbox.namesIn(topic)).containsExactly("flows");
        assertThat(outbox.waiting()).isZero();
        assertThat(outbox.aside())
                .containsExactly(
                        "too.large parked: too large", "follows parked: follows", "follows.later parked: follows");
    }

    @Test
    void another_owner_knows_what_is_moved_aside() {
        String narrow = narrowTopic();
        String missing = topic + ".missing";
        stageLarge(narrow, keyIn(narrow), "too.large");
        outbox.stage(missing, keyIn(missing), "held");
        turns(runner(), 3);
        assertThat(outbox.aside()).hasSize(2);

        outbox.stage(narrow, keyIn(narrow), "follows");
        outbox.kafka.createTopic(missing, 1);
        turns(runner(), 3);
        assertThat(outbox.namesIn(narrow)).isEmpty();
        assertThat(outbox.namesIn(missing)).containsExactly("held");
        assertThat(outbox.aside()).containsExactly("too.large parked: too large", "follows parked: follows");
    }

    @Test
    void a_paused_topic_is_held_until_it_is_resumed() {
        LaneRunner runner = runner();
        outbox.pauses.set(Set.of(topic));
        outbox.stage(topic, KEY, "1");
        turns(runner, 3);
        assertThat(outbox.aside()).containsExactly("1 held: topic paused");
        outbox.stage(topic, KEY, "2");
        outbox.pauses.set(Set.of());
        turns(runner, 3);
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2");
        assertThat(outbox.aside()).isEmpty();
    }

    @Test
    void while_everything_is_paused_nothing_moves() {
        LaneRunner runner = runner();
        outbox.pauses.set(Set.of(Membership.ALL_TOPICS));
        outbox.stage(topic, KEY, "1");
        turns(runner, 3);
        assertThat(outbox.waiting()).isEqualTo(1);
        outbox.pauses.set(Set.of());
        turns(runner, 1);
        assertThat(outbox.namesIn(topic)).containsExactly("1");
    }

    @Test
    void a_job_without_a_key_for_a_compacted_topic_is_parked_and_the_others_flow() {
        String compacted = topic + ".compacted";
        outbox.kafka.createTopic(compacted, 1, Map.of("cleanup.policy", "compact"));
        for (int i = 0; i < 8; i++) { // one of them is in our lane
            outbox.dsl().execute("INSERT INTO staged_jobs (topic, job_name) VALUES (?, 'keyless')", compacted);
        }
        outbox.stage(compacted, keyIn(compacted), "with.key");
        outbox.stage(topic, KEY, "flows");
        turns(runner(), 4);
        assertThat(outbox.aside()).containsExactly("keyless parked: refused");
        assertThat(outbox.namesIn(compacted)).containsExactly("with.key");
        assertThat(outbox.namesIn(topic)).containsExactly("flows");
    }

    @Test
    void a_key_as_long_as_keys_may_be_can_be_parked() {
        String narrow = narrowTopic();
        Random random = new Random(7);
        String key;
        do {
            StringBuilder text = new StringBuilder();
            random.ints(4096, 'a', 'z' + 1)
                    .forEach(text::appendCodePoint); // does not compress below an index entry's limit
            key = text.toString();
        } while (outbox.laneOf(narrow, key) != lane);
        stageLarge(narrow, key, "too.large");
        outbox.stage(narrow, key, "follows");
        LaneRunner runner = runner();
        turns(runner, 2);
        nanoTime.addAndGet(1_000_000_000);
        turns(runner, 1);
        assertThat(outbox.aside()).containsExactly("too.large parked: too large", "follows parked: follows");
    }

    @Test
    void a_job_larger_than_the_client_sends_is_parked_with_what_follows_and_the_others_flow() {
        publisher = publisher(Map.of("max.request.size", "5000"));
        theLargeOneIsParkedWithWhatFollows();
        assertThat(errorOf("too.large")).contains("max.request.size");
    }

    @Test
    void a_job_larger_than_the_clients_memory_is_parked_with_what_follows_and_the_others_flow() {
        publisher = publisher(Map.of("buffer.memory", "5000", "batch.size", "1000"));
        theLargeOneIsParkedWithWhatFollows();
    }

    @Test
    void a_job_larger_than_a_segment_of_its_topic_is_parked_with_what_follows_and_the_others_flow() {
        publisher = publisher(Map.of("max.request.size", "5000000"));
        outbox.dsl().connection(connection -> Schema.PUBLIC.limitPayload(connection, 2_000_000, line -> {}));
        String segmented = topic + ".segmented";
        outbox.kafka.createTopic(segmented, 1, Map.of("segment.bytes", "1048576", "max.message.bytes", "5000000"));
        String key = keyIn(segmented);
        outbox.stage(segmented, key, "before");
        stage(segmented, key, "too.large", 1_500_000);
        outbox.stage(segmented, key, "follows");
        outbox.stage(topic, KEY, "flows");
        turns(runner(), 4);
        assertThat(outbox.aside()).containsExactly("too.large parked: too large", "follows parked: follows");
        assertThat(outbox.namesIn(segmented)).containsExactly("before");
        assertThat(outbox.namesIn(topic)).containsExactly("flows");
        assertThat(outbox.waiting()).isZero();
    }

    @Test
    void a_job_that_a_rule_of_its_topic_refuses_is_parked_with_what_follows_and_the_others_flow() {
        publisher = publisher(Map.of("interceptor.classes", TimeOfStaging.class.getName()));
        String recent = topic + ".recent";
        outbox.kafka.createTopic(recent, 1, Map.of("message.timestamp.before.max.ms", "3600000"));
        String key = keyIn(recent);
        outbox.stage(recent, key, "before");
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload, staged_at)"
                                + " VALUES (?, ?, 'too.old', '{}', now() - interval '1 day')",
                        recent,
                        key);
        outbox.stage(topic, KEY, "flows");
        LaneRunner runner = runner();
        turns(runner, 4);
        // In at-least-once one of the same batch could be under way already, in a request of its own.
        outbox.stage(recent, key, "follows");
        nanoTime.addAndGet(1_000_000_000);
        turns(runner, 2);
        assertThat(outbox.aside()).containsExactly("too.old parked: refused", "follows parked: follows");
        assertThat(outbox.namesIn(recent)).containsExactly("before");
        assertThat(outbox.namesIn(topic)).containsExactly("flows");
        assertThat(outbox.waiting()).isZero();
        assertThat(errorOf("too.old")).contains("Timestamp");
    }

    @Test
    void jobs_of_a_topic_that_only_kafka_itself_writes_are_parked_and_the_others_flow() {
        String ofKafka =
                "__transaction_state"; // the table refuses the name; a topic that Kafka will refuse some day it takes
        outbox.exactlyOnce().open(0, 1, 0).orThrow().close();
        outbox.stageUnchecked("topic, job_name", ofKafka, "refused");
        outbox.dsl().execute("UPDATE staged_jobs SET lane = ?", outbox.laneOf(topic, KEY));
        outbox.stage(topic, KEY, "flows");
        turns(runner(), 4);
        assertThat(outbox.aside()).containsExactly("refused parked: topic refused");
        assertThat(outbox.namesIn(topic)).containsExactly("flows");
        assertThat(outbox.waiting()).isZero();
    }

    private void theLargeOneIsParkedWithWhatFollows() {
        outbox.stage(topic, KEY, "before");
        stageLarge(topic, KEY, "too.large");
        outbox.stage(topic, KEY, "follows");
        outbox.stage(topic, keyIn(topic), "flows");
        turns(runner(), 4);
        assertThat(outbox.aside()).containsExactly("too.large parked: too large", "follows parked: follows");
        assertThat(outbox.namesIn(topic)).containsExactly("before", "flows");
        assertThat(outbox.waiting()).isZero();
    }

    private String errorOf(String name) {
        return outbox.dsl()
                .fetchSingle("SELECT error FROM parked_jobs WHERE job_name = ?", name)
                .get(0, String.class);
    }

    /** An operator's interceptor, by which a record's time is that at which its job was staged. */
    public static final class TimeOfStaging implements ProducerInterceptor<byte[], byte[]> {

        @Override
        public ProducerRecord<byte[], byte[]> onSend(ProducerRecord<byte[], byte[]> record) {
            return record.headers().lastHeader("ce_time") == null
                    ? record
                    : new ProducerRecord<>(
                            record.topic(),
                            record.partition(),
                            Instant.parse(new String(
                                            record.headers()
                                                    .lastHeader("ce_time")
                                                    .value(),
                                            UTF_8))
                                    .toEpochMilli(),
                            record.key(),
                            record.value(),
                            record.headers());
        }

        @Override
        public void onAcknowledgement(RecordMetadata metadata, Exception exception) {}

        @Override
        public void close() {}

        @Override
        public void configure(Map<String, ?> configs) {}
    }
}
