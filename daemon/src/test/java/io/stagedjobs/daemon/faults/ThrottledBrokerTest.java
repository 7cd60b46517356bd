package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A broker that lets the enqueuer write fewer bytes a second than a whole batch has. */
class ThrottledBrokerTest {

    private static final double BYTES_PER_SECOND = 300_000;
    private static final int JOBS = 3_000;

    private static void throttle(TestKafka kafka, double bytesPerSecond) throws Exception {
        ClientQuotaEntity everybody =
                new ClientQuotaEntity(Collections.singletonMap(ClientQuotaEntity.CLIENT_ID, null));
        try (Admin admin = Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, kafka.bootstrapServers()))) {
            admin.alterClientQuotas(List.of(new ClientQuotaAlteration(
                            everybody, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", bytesPerSecond)))))
                    .all()
                    .get();
        }
    }

    /** With the records of aborted transactions. */
    private static long written(TestKafka kafka, String topic) {
        try (KafkaConsumer<byte[], byte[]> all = new KafkaConsumer<>(
                Map.of("bootstrap.servers", kafka.bootstrapServers(), "isolation.level", "read_uncommitted"),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer())) {
            Set<TopicPartition> partitions = all.partitionsFor(topic).stream()
                    .map(partition -> new TopicPartition(topic, partition.partition()))
                    .collect(Collectors.toSet());
            all.assign(partitions);
            all.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = all.endOffsets(partitions);
            long written = 0;
            while (ends.entrySet().stream().anyMatch(end -> all.position(end.getKey()) < end.getValue())) {
                written += all.poll(Duration.ofMillis(100)).count();
            }
            return written;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"exactly-once", "at-least-once"})
    void a_backlog_whose_batches_do_not_get_through_in_time_goes_in_smaller_ones_each_job_once(String delivery)
            throws Exception {
        try (TestKafka kafka = TestKafka.startEmbedded();
                TestOutbox outbox = new TestOutbox(TestPostgres.shared(), kafka, "throttled")) {
            String topic = kafka.newTopic("throttled", 4);
            outbox.dsl()
                    .execute(
                            "INSERT INTO staged_jobs (topic, job_key, job_name, payload) SELECT ?, 'k' || i % 100,"
                                    + " 'job', decode(repeat(md5(i::text) || md5((-i)::text), 10), 'hex')"
                                    + " FROM generate_series(1, ?) AS i",
                            topic, JOBS);
            throttle(kafka, BYTES_PER_SECOND);
            try (Command.Daemon enqueuer = new Command.Daemon(
                    outbox,
                    "enqueuer",
                    Command.with(
                            Command.environment(outbox),
                            "STAGED_JOBS_DELIVERY",
                            delivery,
                            "STAGED_JOBS_PUBLISH_TIMEOUT",
                            "2s"))) {
                Eventually.until("nothing waits", () -> outbox.waiting() == 0);
                assertThat(enqueuer.get("metrics").body()).contains("staged_jobs_unacknowledged_total");
            }
            throttle(kafka, 1e9);
            List<String> ids = outbox.read(topic).stream()
                    .map(record -> TestOutbox.header(record, "ce_id"))
                    .toList();
            assertThat(ids.stream().distinct().count()).isEqualTo(JOBS);
            if (delivery.equals("exactly-once")) {
                assertThat(ids).hasSize(JOBS);
            }
            long written = written(kafka, topic);
            assertThat(written).isGreaterThanOrEqualTo(JOBS);
            System.out.printf(
                    "%s: %d jobs, %d records written, %.2f useful%n", delivery, JOBS, written, (double) JOBS / written);
        }
    }
}
