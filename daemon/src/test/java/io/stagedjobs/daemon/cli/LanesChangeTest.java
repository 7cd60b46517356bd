package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.daemon.cli.Command.Answer;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.postgres.DatabaseIdentity;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.schema.Schema;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code staged-jobs migrate --lanes}. */
class LanesChangeTest {

    private static final long TAKEOVER_AFTER = 3_000;

    private TestOutbox outbox;
    private Map<String, String> environment;
    private String topic;

    @BeforeEach
    void open() {
        outbox = new TestOutbox("lanes");
        environment = Command.environment(outbox);
        topic = outbox.kafka.newTopic("lanes", 3);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private boolean change(int lanes) throws SQLException {
        try (Connection connection = outbox.database.connect()) {
            return DatabaseIdentity.changeLanes(connection, Schema.PUBLIC, lanes, TAKEOVER_AFTER, line -> {});
        }
    }

    private int lanes() {
        return outbox.dsl().fetchSingle("SELECT count(*) FROM staged_job_lanes").get(0, int.class);
    }

    private void stage(int from, int to) {
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name)"
                                + " SELECT ?, 'k' || n % 10, n::text FROM generate_series(?, ?) AS n",
                        topic, from, to);
    }

    @ParameterizedTest
    @ValueSource(strings = {"exactly-once", "at-least-once"})
    void jobs_from_before_and_after_a_change_are_published_once_and_in_order(String delivery) {
        Map<String, String> mode = Command.with(environment, "STAGED_JOBS_DELIVERY", delivery);
        stage(1, 200);
        assertThat(Command.run(mode, "drain").exitCode()).isZero();
        stage(201, 400);
        assertThat(Command.run(mode, "migrate", "--lanes", "3").out()).contains("over 3 lane(s) now");
        stage(401, 600);
        assertThat(Command.run(mode, "drain").out()).contains("published 400 jobs");
        stage(601, 700);
        assertThat(Command.run(mode, "migrate", "--lanes", "1").exitCode()).isZero();
        assertThat(Command.run(mode, "migrate", "--lanes", "1").out()).contains("already, nothing to do");
        assertThat(Command.run(mode, "drain").out()).contains("published 100 jobs");

        Map<String, List<Integer>> byKey = outbox.read(topic).stream()
                .collect(Collectors.groupingBy(
                        record -> new String(record.key(), StandardCharsets.UTF_8),
                        Collectors.mapping(
                                record -> Integer.valueOf(TestOutbox.header(record, "ce_type")), Collectors.toList())));
        assertThat(byKey).hasSize(10);
        byKey.forEach((key, numbers) -> assertThat(numbers)
                .isEqualTo(IntStream.rangeClosed(1, 700)
                        .filter(n -> key.equals("k" + n % 10))
                        .boxed()
                        .toList()));
    }

    @Test
    void held_jobs_come_along_and_return() throws SQLException {
        String missing = topic + ".missing";
        for (int n = 0; n < 20; n++) {
            outbox.stage(missing, "k" + n, "held." + n);
        }
        assertThat(Command.run(environment, "drain").exitCode()).isNotZero();
        assertThat(outbox.aside()).hasSize(20);
        change(3);
        outbox.kafka.createTopic(missing, 1, Map.of());
        assertThat(Command.run(environment, "drain").exitCode()).isZero();
        assertThat(outbox.namesIn(missing)).hasSize(20).doesNotHaveDuplicates();
    }

    @Test
    void it_is_refused_while_an_enqueuer_lives_and_until_a_killed_ones_batch_is_settled() throws SQLException {
        outbox.stage(topic, "k", "waits");
        outbox.dsl().execute("UPDATE staged_job_delivery SET delivery = 'exactly-once'");
        outbox.dsl().execute("INSERT INTO staged_job_enqueuers VALUES (gen_random_uuid(), 'alive', 'exactly-once')");
        assertThatThrownBy(() -> change(2))
                .isInstanceOf(ExternalFailureException.class)
                .hasMessageContainingAll("while enqueuers run", "Nothing was changed");
        outbox.dsl().execute("DELETE FROM staged_job_enqueuers");
        outbox.dsl().execute("UPDATE staged_job_lanes SET owner = gen_random_uuid() WHERE lane IN (2, 5)");
        assertThatThrownBy(() -> change(2))
                .isInstanceOf(ExternalFailureException.class)
                .hasMessageContainingAll("lanes 2, 5", "staged-jobs drain");
        assertThat(lanes()).isEqualTo(8);
        outbox.dsl().execute("DELETE FROM staged_jobs");
        assertThat(change(2)).isTrue();
        assertThat(lanes()).isEqualTo(2);
    }

    @Test
    void an_open_writer_delays_it_and_is_named() throws Exception {
        List<String> told = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch toldOnce = new CountDownLatch(1);
        ExecutorService thread = Executors.newSingleThreadExecutor();
        try (Connection writer = outbox.transaction();
                Connection connection = outbox.database.connect()) {
            writer.setClientInfo("ApplicationName", "the writer");
            TestOutbox.stage(writer, topic, "key of the writer", "late");
            Future<Boolean> change = thread.submit(
                    () -> DatabaseIdentity.changeLanes(connection, Schema.PUBLIC, 3, TAKEOVER_AFTER, line -> {
                        told.add(line);
                        toldOnce.countDown();
                    }));
            assertThat(toldOnce.await(30, TimeUnit.SECONDS)).isTrue();
            writer.commit();
            assertThat(change.get(30, TimeUnit.SECONDS)).isTrue();
        } finally {
            thread.shutdownNow();
        }
        assertThat(told).hasSize(1);
        assertThat(told.get(0)).contains("waiting for tables staged_job_lanes and staged_jobs", "the writer");
        assertThat(outbox.dsl().fetchSingle("SELECT lane FROM staged_jobs").get(0, int.class))
                .isEqualTo(outbox.laneOf(topic, "key of the writer"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "65", "-1"})
    void a_number_of_lanes_that_cannot_be_is_refused(String lanes) {
        Answer refused = Command.run(environment, "migrate", "--lanes", lanes);
        assertThat(refused.exitCode()).isEqualTo(2);
        assertThat(refused.err()).contains("--lanes is wrong", "1 to 64");
        assertThat(lanes()).isEqualTo(8);
    }

    @Test
    void an_enqueuer_does_not_start_while_a_job_lies_in_a_lane_that_is_not_there() throws SQLException {
        outbox.stageUnchecked("topic, job_name", topic, "lost");
        outbox.dsl().execute("UPDATE staged_jobs SET lane = 8");
        Command.assertStartRefused(environment, "8 lanes (0 to 7)", "lies beyond them", "migrate --lanes 8");
        assertThat(change(8)).isTrue();
        assertThat(Command.run(environment, "drain").out()).contains("published 1 job");
    }

    @Test
    void an_enqueuer_does_not_start_while_new_jobs_are_spread_over_another_number_of_lanes() throws SQLException {
        Schema.PUBLIC.spread(outbox.dsl(), 5);
        Command.assertStartRefused(environment, "8 lanes (0 to 7)", "spread over 5", "migrate --lanes 8");
        outbox.dsl().execute("ALTER TABLE staged_jobs DISABLE TRIGGER staged_jobs_before_insert");
        Command.assertStartRefused(environment, "is not ENABLE ALWAYS");
        outbox.dsl().execute("ALTER TABLE staged_jobs ENABLE ALWAYS TRIGGER staged_jobs_before_insert");
        assertThat(change(8)).isTrue();
    }
}
