package io.stagedjobs.enqueuer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.testkit.ChildProcess;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.Tools;
import java.sql.Connection;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is staged by any client arrives as docs/contract.md says: key, bytes, headers. */
class ContractTest {

    private Outbox outbox;
    private String topic;

    @BeforeEach
    void open() {
        outbox = new Outbox("contract");
        topic = outbox.kafka.newTopic("contract", 1);
        outbox.enqueuer().start();
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private ConsumerRecord<byte[], byte[]> onlyRecord() throws Exception {
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        List<ConsumerRecord<byte[], byte[]>> records = outbox.read(topic);
        assertThat(records).hasSize(1);
        return records.get(0);
    }

    private static List<String> headers(ConsumerRecord<byte[], byte[]> record) {
        return Arrays.stream(record.headers().toArray())
                .map(header -> header.key() + "=" + new String(header.value(), UTF_8))
                .toList();
    }

    @Test
    void a_job_staged_by_literal_sql_over_bare_jdbc_arrives_with_the_default_headers() throws Exception {
        UUID jobId;
        OffsetDateTime stagedAt;
        try (Connection connection = outbox.transaction();
                var statement = connection.createStatement()) {
            var row = statement.executeQuery("INSERT INTO staged_jobs (topic, job_name, payload) VALUES ('" + topic
                    + "', 'user.created', '{\"id\": 7}') RETURNING job_id, staged_at");
            row.next();
            jobId = row.getObject(1, UUID.class);
            stagedAt = row.getObject(2, OffsetDateTime.class);
            connection.commit();
        }
        ConsumerRecord<byte[], byte[]> record = onlyRecord();
        assertThat(record.key()).isNull();
        assertThat(new String(record.value(), UTF_8)).isEqualTo("{\"id\": 7}");
        assertThat(headers(record))
                .containsExactly(
                        "ce_specversion=1.0",
                        "ce_id=" + jobId,
                        "ce_source=/tests",
                        "ce_type=user.created",
                        "ce_time=" + stagedAt.toInstant(),
                        "content-type=application/json");
    }

    @Test
    void a_job_staged_by_psql_arrives() throws Exception {
        psql("INSERT INTO staged_jobs (topic, job_key, job_name, payload)" + " VALUES ('" + topic
                + "', 'ключ', 'user.renamed', '\\x00ff7b'::bytea)");
        ConsumerRecord<byte[], byte[]> record = onlyRecord();
        assertThat(new String(record.key(), UTF_8)).isEqualTo("ключ");
        assertThat(record.value()).containsExactly(0x00, 0xff, 0x7b);
        assertThat(Outbox.header(record, "ce_type")).isEqualTo("user.renamed");
    }

    @Test
    void a_job_staged_by_stage_job_in_psql_arrives_with_its_id_and_headers() throws Exception {
        String id = psql("SELECT stage_job('" + topic + "', 'user.created', '{\"name\": \"Zoë 😀\"}', 'k',"
                + " '{\"traceparent\": \"00-ab-cd-01\", \"content-type\": \"application/vnd.user+json\"}')");
        ConsumerRecord<byte[], byte[]> record = onlyRecord();
        assertThat(new String(record.value(), UTF_8)).isEqualTo("{\"name\": \"Zoë 😀\"}");
        assertThat(Outbox.header(record, "ce_id")).isEqualTo(id);
        assertThat(headers(record))
                .contains("traceparent=00-ab-cd-01", "content-type=application/vnd.user+json")
                .doesNotContain("content-type=application/json");
    }

    @Test
    void psql_refuses_what_is_no_text_and_nothing_is_staged() throws Exception {
        assertThat(failingPsql("INSERT INTO staged_jobs (topic, job_name) VALUES ('t', E'a\\x00b')"))
                .contains("invalid byte sequence");
        assertThat(failingPsql("INSERT INTO staged_jobs (topic, job_name) VALUES ('t', E'a\\xc3\\x28b')"))
                .contains("invalid byte sequence");
        assertThat(failingPsql("SELECT stage_job('t', 'n', '{\"a\": \"\\u0000\"}')"))
                .contains("\\u0000");
        assertThat(outbox.waiting()).isZero();
    }

    private String psql(String sql) {
        try (ChildProcess psql = startPsql(sql)) {
            assertThat(psql.awaitExit(Duration.ofSeconds(30)))
                    .as(() -> String.join("\n", psql.output()))
                    .isZero();
            return psql.stdout().isEmpty() ? "" : psql.stdout().get(0);
        }
    }

    private String failingPsql(String sql) {
        try (ChildProcess psql = startPsql(sql)) {
            assertThat(psql.awaitExit(Duration.ofSeconds(30))).isNotZero();
            return String.join("\n", psql.stderr());
        }
    }

    private ChildProcess startPsql(String sql) {
        TestDatabase database = outbox.database;
        return ChildProcess.start(
                "psql",
                List.of(
                        Tools.require("psql").toString(),
                        "-X",
                        "-q",
                        "-A",
                        "-t",
                        "-v",
                        "ON_ERROR_STOP=1",
                        "-h",
                        database.host(),
                        "-p",
                        String.valueOf(database.port()),
                        "-U",
                        database.username(),
                        "-d",
                        database.name(),
                        "-c",
                        sql),
                Map.of("PGPASSWORD", database.password(), "PGCLIENTENCODING", "UTF8"));
    }

    @Test
    void a_job_staged_by_the_library_arrives_byte_for_byte_with_its_headers() throws Exception {
        byte[] bytes = new byte[256];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) i;
        }
        StagedJob job = StagedJob.builder(topic, "blob.stored")
                .key("a\"b\\c\n€😀")
                .payload(bytes)
                .header("tracestate", "a=b,c=d")
                .header("odd \"name\"\n", "line\nbreak \\ \u0001 😀")
                .build();
        outbox.dsl().transaction(transaction -> new StagedJobs().stage(transaction.dsl(), job));
        ConsumerRecord<byte[], byte[]> record = onlyRecord();
        assertThat(record.value()).isEqualTo(bytes);
        assertThat(new String(record.key(), UTF_8)).isEqualTo(job.key());
        assertThat(Outbox.header(record, "ce_id")).isEqualTo(job.id().toString());
        assertThat(Outbox.header(record, "tracestate")).isEqualTo("a=b,c=d");
        assertThat(Outbox.header(record, "odd \"name\"\n")).isEqualTo("line\nbreak \\ \u0001 😀");
    }

    @Test
    void a_tombstone_and_an_empty_payload_stay_what_they_are() throws Exception {
        outbox.dsl().transaction(transaction -> new StagedJobs()
                .stage(
                        transaction.dsl(),
                        List.of(
                                StagedJob.builder(topic, "deleted").key("k").build(),
                                StagedJob.builder(topic, "empty")
                                        .key("k")
                                        .payload(new byte[0])
                                        .build())));
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        List<ConsumerRecord<byte[], byte[]>> records = outbox.read(topic);
        assertThat(records.get(0).value()).isNull();
        assertThat(records.get(1).value()).isEmpty();
    }

    @Test
    void the_largest_job_that_the_table_takes_is_one_that_a_default_topic_takes() throws Exception {
        byte[] random = new byte[900_000];
        new java.util.Random(1).nextBytes(random);
        StagedJob largest = StagedJob.builder(topic, "n".repeat(255))
                .key("k".repeat(4096))
                .payload(random)
                .header("h", "v".repeat(99_980))
                .build();
        outbox.dsl().transaction(transaction -> new StagedJobs().stage(transaction.dsl(), largest));
        assertThat(onlyRecord().value()).isEqualTo(random);
    }
}
