package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.ProducerInterceptor;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * The daemon, in the mode exactly-once, as a process of its own, with servers that are stopped, frozen and killed under
 * it.
 */
class RunCommandTest {

    private static TestPostgres postgres;
    private static TestKafka kafka;

    private TestOutbox outbox;
    private Map<String, String> environment;
    private String topic;

    @BeforeAll
    static void startServers() {
        postgres = TestPostgres.startEmbedded();
        kafka = TestKafka.startEmbedded();
    }

    @AfterAll
    static void stopServers() {
        kafka.close();
        postgres.close();
    }

    @BeforeEach
    void open() {
        outbox = new TestOutbox(postgres, kafka, "daemon");
        environment = Command.with(Command.environment(outbox), "STAGED_JOBS_DELIVERY", "exactly-once");
        topic = kafka.newTopic("daemon", 3);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private Command.Daemon daemon(String name) {
        return new Command.Daemon(outbox, name, environment);
    }

    private void stage(String prefix, int jobs) {
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, (i % 50)::text, ? || i, '{}' FROM generate_series(1, ?) AS i",
                        topic, prefix, jobs);
    }

    private static List<String> names(String prefix, int jobs) {
        return IntStream.rangeClosed(1, jobs).mapToObj(i -> prefix + i).toList();
    }

    private static List<String> both(String prefix, int jobs) {
        List<String> all = new ArrayList<>(names("before.", 500));
        all.addAll(names(prefix, jobs));
        return all;
    }

    private long batchesOpen() {
        return outbox.dsl()
                .fetchSingle("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        + " AND application_name LIKE 'staged-jobs%' AND state = 'idle in transaction'")
                .get(0, long.class);
    }

    @Test
    void the_lanes_of_a_killed_enqueuer_are_taken_by_the_other() throws Exception {
        Command.Daemon victim = daemon("victim");
        daemon("survivor");
        Eventually.until("they share the lanes", () -> owners() == 2);
        victim.process.kill();
        stage("after.", 200);
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        assertThat(outbox.namesIn(topic)).containsExactlyInAnyOrderElementsOf(names("after.", 200));
        assertThat(owners()).isEqualTo(1);
    }

    private long owners() {
        return outbox.dsl()
                .fetchSingle("SELECT count(DISTINCT owner) FROM staged_job_lanes")
                .get(0, long.class);
    }

    @Test
    void a_broker_that_goes_away_and_comes_back_costs_no_job_and_no_help() throws Exception {
        Command.Daemon daemon = daemon("enqueuer");
        stage("before.", 500);
        Eventually.until("the first jobs are published", () -> outbox.waiting() == 0);
        kafka.kill();
        stage("meanwhile.", 2_000);
        Eventually.until("it is not ready", () -> !daemon.isReady());
        assertThat(daemon.get("health/ready").body()).contains("\"kafka\":");
        assertThat(daemon.get("health/live").statusCode()).isEqualTo(200);
        assertThat(daemon.process.isRunning()).isTrue();
        kafka.startAgain();
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        Eventually.until("it is ready", daemon::isReady);
        assertThat(outbox.namesIn(topic)).containsExactlyInAnyOrderElementsOf(both("meanwhile.", 2_000));
    }

    @Test
    void a_database_that_crashes_and_comes_back_costs_no_job_and_no_help() throws Exception {
        Command.Daemon daemon = daemon("enqueuer");
        stage("before.", 500);
        Eventually.until("the first jobs are published", () -> outbox.waiting() == 0);
        postgres.stopImmediately();
        Eventually.until("it is not ready", () -> !daemon.isReady());
        assertThat(daemon.get("health/ready").body()).contains("\"postgresql\":");
        postgres.startAgain();
        stage("after.", 500);
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        Eventually.until("it is ready", daemon::isReady);
        assertThat(outbox.namesIn(topic)).containsExactlyInAnyOrderElementsOf(both("after.", 500));
    }

    @Test
    void sigterm_ends_it_with_zero_and_leaves_no_lane_owned() throws Exception {
        Command.Daemon daemon = daemon("enqueuer");
        stage("job.", 300);
        Eventually.until(
                "it owns all lanes",
                () -> outbox.dsl()
                                .fetchSingle("SELECT count(owner) FROM staged_job_lanes")
                                .get(0, long.class)
                        == 8);
        daemon.process.terminate();
        assertThat(daemon.process.awaitExit(Duration.ofSeconds(30))).isZero();
        assertThat(owners()).isZero();
        assertThat(outbox.dsl().fetch("SELECT * FROM staged_job_enqueuers")).isEmpty();
        long published = outbox.namesIn(topic).size();
        assertThat(published + outbox.waiting()).isEqualTo(300);
    }

    @Test
    void sigterm_while_the_broker_is_frozen_takes_the_batch_back_and_ends_with_zero() throws Exception {
        environment.put("STAGED_JOBS_PUBLISH_TIMEOUT", "60s");
        Command.Daemon daemon = daemon("enqueuer");
        stage("before.", 50);
        Eventually.until("the first jobs are published", () -> outbox.waiting() == 0);
        kafka.suspend();
        try {
            stage("kept.", 100);
            Eventually.until("batches wait for the frozen broker", () -> batchesOpen() > 0);
            daemon.process.terminate();
            assertThat(daemon.process.awaitExit(Duration.ofSeconds(60))).isZero();
        } finally {
            kafka.resume();
        }
        Eventually.until("PostgreSQL rolled the batches back", () -> batchesOpen() == 0);
        assertThat(outbox.waiting()).isEqualTo(100);
    }

    @Test
    void a_stopped_owner_is_relieved_and_publishes_nothing_when_it_goes_on() throws Exception {
        environment.put("STAGED_JOBS_PUBLISH_TIMEOUT", "60s");
        Command.Daemon zombie = daemon("zombie");
        stage("before.", 500);
        Eventually.until("the first jobs are published", () -> outbox.waiting() == 0);
        kafka.suspend();
        try {
            stage("under.way.", 2_000);
            Eventually.until("batches wait for the frozen broker", () -> batchesOpen() > 0);
            zombie.process.suspend();
        } finally {
            kafka.resume();
        }
        daemon("heir");
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        zombie.process.resume();
        Eventually.until("the zombie is back among the living", () -> owners() == 2);
        stage("after.", 500);
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        List<String> expected = both("under.way.", 2_000);
        expected.addAll(names("after.", 500));
        assertThat(outbox.namesIn(topic)).containsExactlyInAnyOrderElementsOf(expected);
    }

    @Test
    void an_error_of_the_virtual_machine_ends_the_process_and_another_one_goes_on() throws Exception {
        environment.put("STAGED_JOBS_KAFKA_INTERCEPTOR_CLASSES", Broken.class.getName());
        Command.Daemon victim = daemon("victim");
        stage("kept.", 20);
        assertThat(victim.process.awaitExit(Duration.ofSeconds(60))).isEqualTo(3);
        assertThat(victim.process.output())
                .anyMatch(line -> line.contains("ends") && line.contains("LinkageError: broken"));
        environment.remove("STAGED_JOBS_KAFKA_INTERCEPTOR_CLASSES");
        daemon("heir");
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        assertThat(outbox.namesIn(topic)).containsExactlyInAnyOrderElementsOf(names("kept.", 20));
    }

    /** An error in the thread of a lane. Instantiated by the Kafka client. */
    public static final class Broken implements ProducerInterceptor<byte[], byte[]> {

        @Override
        public ProducerRecord<byte[], byte[]> onSend(ProducerRecord<byte[], byte[]> record) {
            throw new LinkageError("broken");
        }

        @Override
        public void onAcknowledgement(RecordMetadata record, Exception error) {}

        @Override
        public void configure(Map<String, ?> properties) {}

        @Override
        public void close() {}
    }

    @Test
    void metrics_and_status_tell_what_happened() throws Exception {
        Command.Daemon daemon = daemon("enqueuer");
        stage("job.", 300);
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        Eventually.until(
                "all are counted", () -> daemon.get("metrics").body().contains("staged_jobs_published_total 300.0"));
        assertThat(daemon.get("metrics").body())
                .contains(
                        "staged_jobs_batch_size_jobs_count",
                        "staged_jobs_lag_seconds_count 300",
                        "staged_jobs_failures_total{cause=\"kafka\"} 0.0",
                        "staged_jobs_failures_total{cause=\"postgresql\"} 0.0",
                        "staged_jobs_backlog",
                        "staged_jobs_oldest_age_seconds",
                        "staged_jobs_lanes_owned",
                        "kafka_producer_",
                        "client_id=\"staged-jobs-enqueuer-lane-7\"",
                        "hikaricp_connections",
                        "jvm_memory_used_bytes");
        assertThat(daemon.get("api/v1/status").body()).contains("\"backlog\":0", "\"lanes\":[", "\"alive\":true");
    }

    @Test
    void with_a_token_metrics_and_status_ask_for_it_and_health_does_not() throws Exception {
        environment.put("STAGED_JOBS_ADMIN_TOKEN", "a-token-of-the-operator");
        Command.Daemon daemon = daemon("enqueuer");
        for (String path : List.of("metrics", "api/v1/status")) {
            assertThat(daemon.get(path).statusCode()).isEqualTo(401);
            assertThat(daemon.get(path, "Authorization", "Bearer wrong").statusCode())
                    .isEqualTo(401);
            assertThat(daemon.get(path, "Authorization", "Bearer a-token-of-the-operator")
                            .statusCode())
                    .isEqualTo(200);
        }
        assertThat(daemon.get("health/live").statusCode()).isEqualTo(200);
        assertThat(String.join("\n", daemon.process.output())).doesNotContain("a-token-of-the-operator");
    }
}
