package io.stagedjobs.enqueuer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.kafka.ExactlyOncePublisher;
import io.stagedjobs.enqueuer.kafka.KafkaClientSettings;
import io.stagedjobs.enqueuer.postgres.DatabaseIdentity;
import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.Eventually;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One lane in the mode exactly-once, step by step, on a real PostgreSQL and a real broker; read as read_committed. */
class ExactlyOnceTest {

    private static final String KEY = "k";

    private Outbox outbox;
    private PostgresLanes lanes;
    private ExactlyOncePublisher publisher;
    private String topic;
    private int lane;

    @BeforeEach
    void open() {
        outbox = new Outbox("once");
        lanes = outbox.lanes();
        publisher = outbox.exactlyOnce();
        topic = outbox.kafka.newTopic("once", 1);
        lane = outbox.laneOf(topic, KEY);
        lanes.membership().beat();
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private LaneRunner runner(Publisher publisher) {
        return outbox.runner(lane, lanes, publisher);
    }

    private void stage(String... names) {
        for (String name : names) {
            outbox.stage(topic, KEY, name);
        }
    }

    private long settled() {
        return outbox.dsl()
                .fetchSingle("SELECT coalesce(max(batch), 0) FROM staged_job_batches WHERE lane = ?", lane)
                .get(0, long.class);
    }

    /** Runs one step; whether it did not fail. */
    private static boolean worked(LaneRunner runner) {
        Step step = runner.runOnce();
        return step.kind() == Step.Kind.MOVED || step.kind() == Step.Kind.IDLE;
    }

    @Test
    void each_batch_is_one_transaction_with_its_progress_and_its_number() {
        LaneRunner runner = runner(publisher);
        stage("1", "2");
        assertThat(worked(runner)).isTrue();
        stage("3");
        assertThat(worked(runner)).isTrue();
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2", "3");
        assertThat(outbox.waiting()).isZero();
        assertThat(settled()).isEqualTo(2);
        assertThat(publisher.peek(lane)).hasValueSatisfying(progress -> {
            assertThat(progress.batch()).isEqualTo(2);
            assertThat(progress.jobs()).extracting(Progress.JobRef::id).containsExactly(3L);
        });
        assertThat(outbox.dsl().fetch("SELECT * FROM staged_job_batches")).hasSize(1);
    }

    @Test
    void the_number_of_a_batch_is_recorded_beside_an_old_snapshot_without_walking_over_the_numbers_before_it()
            throws Exception {
        int batches = 300;
        long generation = lanes.take(lane).orElseThrow().generation();
        try (Connection report = outbox.transaction();
                Statement statement = report.createStatement()) {
            report.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            statement.execute("SELECT count(*) FROM staged_jobs");
            for (int batch = 1; batch <= batches; batch++) {
                try (LaneTransaction transaction = lanes.begin(lane, generation).orElseThrow()) {
                    transaction.delete(List.of(), batch);
                    transaction.commit();
                }
            }
            outbox.kept(HikariDataSource.class).forEach(HikariDataSource::close); // then its sessions tell their counts
            String counts = " FROM pg_stat_user_indexes WHERE indexrelname = 'staged_job_batches_pkey'";
            Eventually.until("the index tells how often it was searched", () -> outbox.dsl()
                    .fetchSingle("SELECT idx_scan >= ?" + counts, batches)
                    .get(0, boolean.class));
            assertThat(outbox.dsl().fetchSingle("SELECT idx_tup_read" + counts).get(0, long.class))
                    .isLessThan(3L * batches);
        }
        assertThat(settled()).isEqualTo(batches);
    }

    /** Kafka's client may end a transaction without a record that was handed to it just before the commit. */
    @Test
    void the_commit_is_asked_for_after_every_record_was_acknowledged_the_progress_among_them() {
        Acknowledgements.OF_TOPIC.clear();
        stage("1", "2");
        runner(outbox.exactlyOnce(Map.of("interceptor.classes", Acknowledgements.class.getName())))
                .runOnce();
        assertThat(settled()).isEqualTo(1);
        assertThat(Acknowledgements.OF_TOPIC)
                .as("topics, and whether their record was acknowledged during the commit")
                .hasSize(2)
                .containsEntry(topic, false)
                .containsValue(false)
                .doesNotContainValue(true);
    }

    /** Told of each acknowledgement before whoever waits for it. Instantiated by the Kafka client. */
    public static final class Acknowledgements implements ProducerInterceptor<byte[], byte[]> {

        static final Map<String, Boolean> OF_TOPIC = new ConcurrentHashMap<>();

        @Override
        public ProducerRecord<byte[], byte[]> onSend(ProducerRecord<byte[], byte[]> record) {
            return record;
        }

        @Override
        public void onAcknowledgement(RecordMetadata record, Exception error) {
            boolean committing = Thread.getAllStackTraces().values().stream()
                    .flatMap(Arrays::stream)
                    .anyMatch(frame -> frame.getClassName().equals(KafkaProducer.class.getName())
                            && frame.getMethodName().equals("commitTransaction"));
            OF_TOPIC.merge(record.topic(), committing, Boolean::logicalOr);
        }

        @Override
        public void configure(Map<String, ?> properties) {}

        @Override
        public void close() {}
    }

    @Test
    void a_batch_whose_progress_is_more_than_the_client_sends_goes_in_pieces() {
        LaneRunner runner = runner(outbox.exactlyOnce(Map.of("max.request.size", "2500")));
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, ?, n::text, '{}' FROM generate_series(1, 400) AS n",
                        topic,
                        KEY);
        for (int i = 0; i < 4; i++) {
            assertThat(worked(runner)).isTrue();
        }
        assertThat(outbox.waiting()).isZero();
        assertThat(outbox.namesIn(topic))
                .containsExactlyElementsOf(IntStream.rangeClosed(1, 400)
                        .mapToObj(Integer::toString)
                        .toList());
    }

    /** Whether the limit was there at the start, or is lowered while batches go. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void a_batch_whose_progress_is_more_than_its_topic_takes_goes_in_pieces(boolean fromTheStart) throws Exception {
        ConfigResource progress =
                new ConfigResource(ConfigResource.Type.TOPIC, "staged-jobs-progress-" + outbox.database.name());
        ConfigEntry limit = new ConfigEntry("max.message.bytes", "2500");
        outbox.kafka
                .admin()
                .incrementalAlterConfigs(Map.of(progress, List.of(new AlterConfigOp(limit, AlterConfigOp.OpType.SET))))
                .all()
                .get();
        LaneRunner runner = runner(fromTheStart ? outbox.exactlyOnce() : publisher);
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, ?, n::text, '{}' FROM generate_series(1, 400) AS n",
                        topic,
                        KEY);
        int steps = 0;
        for (; outbox.waiting() > 0 && steps < 10; steps++) {
            assertThat(worked(runner) || !fromTheStart).isTrue();
        }
        assertThat(outbox.waiting()).isZero();
        assertThat(outbox.namesIn(topic))
                .containsExactlyElementsOf(IntStream.rangeClosed(1, 400)
                        .mapToObj(Integer::toString)
                        .toList());
    }

    @Test
    void a_progress_topic_that_takes_no_progress_at_all_is_refused_at_the_start() throws Exception {
        String name = "staged-jobs-progress-" + outbox.database.name();
        outbox.kafka.deleteTopic(name);
        outbox.kafka.createTopic(name, 8, Map.of("cleanup.policy", "compact", "max.message.bytes", "100"));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
        Eventually.until("the broker knows the new one, and no longer the one that was deleted", () -> {
            try {
                return outbox.kafka
                        .admin()
                        .describeConfigs(List.of(resource))
                        .all()
                        .get()
                        .get(resource)
                        .get("max.message.bytes")
                        .value()
                        .equals("100");
            } catch (ExecutionException notThereYet) {
                return false;
            }
        });
        assertThatThrownBy(() -> publisher.check(8))
                .isInstanceOf(ExternalFailureException.class)
                .hasMessageContainingAll(name, "at most 100 bytes", "max.message.bytes");
    }

    @Test
    void a_batch_that_kafka_committed_and_the_database_did_not_delete_is_not_published_again() {
        LaneRunner victim = runner(new WatchedPublisher(publisher) {
            @Override
            Outcome published(Outcome outcome) {
                throw new ExternalFailureException(Origin.POSTGRESQL, "the connection was lost", null);
            }
        });
        stage("1", "2");
        victim.runOnce();
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2");
        assertThat(outbox.waiting()).isEqualTo(2);

        stage("3");
        LaneRunner heir = runner(publisher);
        while (outbox.waiting() > 0) {
            heir.runOnce();
        }
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2", "3");
        assertThat(settled()).isEqualTo(2);
    }

    /** As after a restore by one batch to a moment at which its jobs were held. */
    @Test
    void a_job_that_kafka_holds_is_not_published_again_though_the_database_has_it_among_the_held_ones() {
        String elsewhere = topic + ".returned";
        outbox.kafka.createTopic(elsewhere, 1);
        String key = outbox.keyOfLane(elsewhere, lane);
        outbox.stage(elsewhere, key, "1");
        var job = outbox.dsl().fetchSingle("SELECT * FROM staged_jobs");
        runner(publisher).runOnce();
        assertThat(outbox.namesIn(elsewhere)).containsExactly("1");
        outbox.dsl().execute("DELETE FROM staged_job_batches");
        outbox.dsl()
                .execute(
                        "INSERT INTO parked_jobs (lane, id, job_id, topic, job_key, job_name, staged_at, state, reason)"
                                + " VALUES (?, ?, ?, ?, ?, '1', now(), 'held', 'topic missing')",
                        lane,
                        job.get("id"),
                        job.get("job_id"),
                        elsewhere,
                        key);
        LaneRunner restored = runner(publisher);
        restored.runOnce();
        restored.runOnce();
        assertThat(outbox.namesIn(elsewhere)).containsExactly("1");
        assertThat(outbox.aside()).isEmpty();
        assertThat(settled()).isEqualTo(1);
    }

    @Test
    void a_commit_whose_answer_was_lost_is_found_out_by_acquiring() {
        List<String> attempts = new ArrayList<>();
        LaneRunner runner = runner(new WatchedPublisher(publisher) {
            @Override
            Outcome published(Outcome outcome) {
                attempts.add("published");
                return attempts.size() == 1 ? Outcome.failed("the answer to the commit was lost") : outcome;
            }
        });
        stage("1", "2");
        runner.runOnce();
        assertThat(outbox.waiting()).isEqualTo(2);
        runner.runOnce();
        assertThat(outbox.waiting()).isZero();
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2");
        assertThat(attempts).hasSize(1);
    }

    @Test
    void an_owner_that_was_fenced_in_mid_transaction_publishes_nothing_visible() {
        LaneRunner zombie = runner(new WatchedPublisher(publisher) {
            @Override
            void publishing(Batch batch) {
                publisher.open(lane, 99, 0).orThrow().close(); // somebody else has taken the lane
            }
        });
        stage("1");
        assertThat(worked(zombie)).isFalse();
        assertThat(outbox.namesIn(topic)).isEmpty();
        assertThat(outbox.waiting()).isEqualTo(1);
    }

    @Test
    void a_job_that_its_topic_refuses_takes_nothing_along() {
        String narrow = topic + ".narrow";
        outbox.kafka.createTopic(narrow, 1, Map.of("max.message.bytes", "2000"));
        String keyOfSameLane = outbox.keyOfLane(narrow, lane);
        byte[] random = new byte[10_000];
        new java.util.Random(7).nextBytes(random);
        stage("before");
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, 'too.large', ?)",
                        narrow,
                        keyOfSameLane,
                        random);
        stage("after");
        LaneRunner runner = runner(publisher);
        while (outbox.waiting() > 0) {
            runner.runOnce();
        }
        assertThat(outbox.namesIn(topic)).containsExactly("before", "after");
        assertThat(outbox.aside()).containsExactly("too.large parked: too large");
    }

    @Test
    void a_database_put_back_to_an_earlier_state_halts_the_lane_and_publishes_nothing() {
        LaneRunner runner = runner(publisher);
        for (String name : List.of("1", "2", "3")) {
            stage(name);
            runner.runOnce();
        }
        outbox.dsl().execute("UPDATE staged_job_batches SET batch = 1 WHERE lane = ?", lane);
        stage("after.the.restore");
        LaneRunner restored = runner(publisher);
        assertThat(worked(restored)).isFalse();
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2", "3");
        assertThat(outbox.waiting()).isEqualTo(1);
    }

    @Test
    void a_copy_of_a_database_is_halted_before_it_fences_the_original() {
        LaneRunner original = runner(publisher);
        for (String name : List.of("1", "2", "3")) {
            stage(name);
            original.runOnce();
        }
        outbox.dsl().execute("UPDATE staged_job_batches SET batch = 1 WHERE lane = ?", lane);
        List<String> opened = new ArrayList<>();
        LaneRunner copy = runner(new WatchedPublisher(publisher) {
            @Override
            void opening() {
                opened.add("fenced somebody");
            }
        });
        copy.runOnce();
        assertThat(opened).isEmpty();
    }

    /** pg_upgrade makes a cluster with another system identifier, which is a part of the name that Kafka knows. */
    @Test
    void a_database_that_was_moved_into_a_new_cluster_is_halted_and_goes_on_after_the_documented_way()
            throws Exception {
        stage("1");
        assertThat(worked(runner(publisher))).isTrue();
        stage("2");
        ExactlyOncePublisher afterUpgrade = named(outbox.database.name() + "-upgraded");
        Step step = runner(afterUpgrade).runOnce();
        assertThat(step.kind()).isEqualTo(Step.Kind.HALTED);
        assertThat(step.reason()).contains("Kafka holds no progress of it", "pg_upgrade");
        lanes.membership().leave();
        try (Connection connection = outbox.database.connect()) {
            DatabaseIdentity.change(
                    connection, Schema.PUBLIC, DeliveryMode.EXACTLY_ONCE, Outbox.TAKEOVER_AFTER.toMillis());
        }
        lanes = outbox.lanes();
        lanes.membership().beat();
        assertThat(runner(named(outbox.database.name() + "-renamed")).runOnce().kind())
                .isEqualTo(Step.Kind.MOVED);
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2");
    }

    private ExactlyOncePublisher named(String database) {
        ExactlyOncePublisher named = outbox.keep(new ExactlyOncePublisher(
                new KafkaClientSettings(
                        Map.of("bootstrap.servers", outbox.kafka.bootstrapServers()), Duration.ofSeconds(4)),
                database,
                "/tests",
                new SimpleMeterRegistry()));
        named.check(8);
        return named;
    }

    /** As an operator may empty the table. */
    private void truncate() {
        outbox.dsl().execute("TRUNCATE staged_jobs RESTART IDENTITY");
    }

    private long idOfWaiting() {
        return outbox.dsl().fetchSingle("SELECT id FROM staged_jobs").get(0, long.class);
    }

    @Test
    void ids_that_begin_anew_after_their_batch_was_settled_halt_nothing() {
        LaneRunner owner = runner(publisher);
        stage("1");
        assertThat(worked(owner)).isTrue();
        truncate();
        stage("2");
        assertThat(publisher.peek(lane).orElseThrow().jobs())
                .as("a job waits under an id that Kafka's progress names")
                .extracting(Progress.JobRef::id)
                .containsExactly(idOfWaiting());
        assertThat(owner.runOnce()).extracting(Step::kind).isEqualTo(Step.Kind.SUPERSEDED);
        assertThat(owner.runOnce()).extracting(Step::kind).isEqualTo(Step.Kind.MOVED);
        assertThat(worked(runner(publisher))).isTrue();
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2");
    }

    @Test
    void ids_that_begin_anew_before_their_batch_was_settled_halt_the_lane_and_nothing_is_deleted() {
        stage("1");
        runner(new WatchedPublisher(publisher) {
                    @Override
                    Outcome published(Outcome outcome) {
                        throw new ExternalFailureException(Origin.POSTGRESQL, "the connection was lost", null);
                    }
                })
                .runOnce();
        truncate();
        stage("2");
        Step step = runner(publisher).runOnce();
        assertThat(step.kind()).isEqualTo(Step.Kind.HALTED);
        assertThat(step.reason()).contains("is another one than Kafka holds");
        assertThat(outbox.waiting()).isEqualTo(1);
        assertThat(outbox.namesIn(topic)).containsExactly("1");
    }

    @Test
    void progress_that_is_gone_halts_the_lane() {
        stage("1");
        LaneRunner runner = runner(publisher);
        runner.runOnce();
        outbox.kafka.deleteTopic("staged-jobs-progress-" + outbox.database.name());
        ExactlyOncePublisher anew = outbox.exactlyOnce();
        stage("2");
        assertThat(worked(runner(anew))).isFalse();
        assertThat(outbox.namesIn(topic)).containsExactly("1");
        assertThat(outbox.waiting()).isEqualTo(1);
    }

    @Test
    void a_record_that_is_no_progress_halts_the_lane_and_says_where_it_is_and_nothing_stays_open() {
        stage("1");
        runner(publisher).runOnce();
        String progress = "staged-jobs-progress-" + outbox.database.name();
        for (byte[] value : new byte[][] {null, {}, {1, 2}, "hello".getBytes(UTF_8)}) {
            long offset = write(progress, value);
            String words = "record at offset " + offset + " of partition " + lane + " of topic " + progress;
            assertThatThrownBy(() -> publisher.peek(lane))
                    .isInstanceOf(LaneHaltedException.class)
                    .hasMessageContaining(words);
            assertThatThrownBy(() -> publisher.open(lane, 2, 0))
                    .isInstanceOf(LaneHaltedException.class)
                    .hasMessageContaining(words);
        }
        assertThat(Thread.getAllStackTraces().keySet())
                .as("producers of this lane")
                .noneMatch(thread -> thread.isAlive()
                        && thread.getName().contains("staged-jobs-" + outbox.database.name() + "-" + lane));
        stage("2");
        LaneRunner heir = runner(publisher);
        assertThat(heir.runOnce()).extracting(Step::kind).isEqualTo(Step.Kind.HALTED);
        assertThat(outbox.namesIn(topic)).containsExactly("1");
        assertThat(outbox.waiting()).isEqualTo(1);
    }

    private long write(String progress, byte[] value) {
        try (Producer<byte[], byte[]> stranger = new KafkaProducer<>(
                Map.of("bootstrap.servers", outbox.kafka.bootstrapServers()),
                new ByteArraySerializer(),
                new ByteArraySerializer())) {
            return stranger.send(new ProducerRecord<>(progress, lane, "stranger".getBytes(UTF_8), value))
                    .get()
                    .offset();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** As brokers of Kafka 4.3 leave it behind when they start (KAFKA-20734), and as a person mends it. */
    @Test
    void a_transaction_that_kafka_forgot_to_end_in_the_progress_is_told_and_once_aborted_the_lane_goes_on()
            throws Exception {
        stage("1");
        runner(publisher).runOnce();
        TopicPartition progress = new TopicPartition("staged-jobs-progress-" + outbox.database.name(), lane);
        try (Producer<byte[], byte[]> forgotten = new KafkaProducer<>(Map.of(
                "bootstrap.servers",
                outbox.kafka.bootstrapServers(),
                "transactional.id",
                "forgotten-" + outbox.database.name(),
                "key.serializer",
                ByteArraySerializer.class,
                "value.serializer",
                ByteArraySerializer.class))) {
            forgotten.initTransactions();
            forgotten.beginTransaction();
            ConsumerRecord<byte[], byte[]> last = outbox.read(progress.topic()).get(0);
            forgotten
                    .send(new ProducerRecord<>(progress.topic(), lane, last.key(), last.value()))
                    .get();
            assertThatThrownBy(() -> publisher.open(lane, 2, 0))
                    .isInstanceOf(ExternalFailureException.class)
                    .hasMessageContainingAll(
                            "lane " + lane, "transaction of batch 1", "open at offset 2", "guarantees.md");
            ProducerState open = outbox
                    .kafka
                    .admin()
                    .describeProducers(List.of(progress))
                    .partitionResult(progress)
                    .get()
                    .activeProducers()
                    .stream()
                    .filter(producer -> producer.currentTransactionStartOffset().isPresent())
                    .findAny()
                    .orElseThrow();
            outbox.kafka
                    .admin()
                    .abortTransaction(new AbortTransactionSpec(
                            progress,
                            open.producerId(),
                            (short) open.producerEpoch(),
                            open.coordinatorEpoch().orElse(0)))
                    .all()
                    .get();
        }
        stage("2");
        runner(publisher).runOnce();
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2");
    }

    @Test
    void a_topic_of_that_name_that_is_another_one_is_refused() {
        outbox.kafka.createTopic("staged-jobs-progress-" + outbox.database.name() + "x", 3);
        ExactlyOncePublisher other = outbox.keep(new ExactlyOncePublisher(
                new io.stagedjobs.enqueuer.kafka.KafkaClientSettings(
                        Map.of("bootstrap.servers", outbox.kafka.bootstrapServers()), Duration.ofSeconds(4)),
                outbox.database.name() + "x",
                "/tests",
                new io.micrometer.core.instrument.simple.SimpleMeterRegistry()));
        assertThatThrownBy(() -> other.check(8))
                .hasMessageContainingAll("8 partitions", "cleanup.policy=compact", "got 3");
    }

    @Test
    void many_batches_and_aborted_transactions_later_the_last_progress_is_found() {
        LaneRunner runner = runner(publisher);
        for (int i = 0; i < 12; i++) {
            stage("job." + i);
            runner.runOnce();
        }
        try (Publisher.Session session = publisher.open(lane, 99, 0).orThrow()) {
            assertThat(session.progress())
                    .hasValueSatisfying(progress -> assertThat(progress.batch()).isEqualTo(12));
        }
        for (int i = 0; i < 10; i++) {
            publisher.open(lane, 99, 0).orThrow().close();
        }
        assertThat(publisher.peek(lane))
                .hasValueSatisfying(progress -> assertThat(progress.batch()).isEqualTo(12));
    }
}
