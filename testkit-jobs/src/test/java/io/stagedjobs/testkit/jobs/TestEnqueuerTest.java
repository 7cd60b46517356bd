package io.stagedjobs.testkit.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.jooq.impl.DSL.table;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.settings.SettingsException;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestKafka;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class TestEnqueuerTest {

    private static final TestKafka KAFKA = TestKafka.shared();

    private TestTables tables;
    private TestEnqueuer enqueuer;
    private String topic;

    @BeforeEach
    void open() {
        tables = new TestTables("drain");
        enqueuer = tables.enqueuer().with("delivery", "at-least-once");
        topic = KAFKA.newTopic("drain", 1);
    }

    private List<String> published(String... topics) {
        return KAFKA.readAll(List.of(topics)).stream()
                .map(record -> new String(record.headers().lastHeader("ce_type").value()))
                .toList();
    }

    @Test
    void everything_committed_before_is_published_and_what_is_open_is_not_waited_for() throws Exception {
        tables.stage(topic, "k", "first");
        try (Connection open = tables.database.connect()) {
            open.setAutoCommit(false);
            open.createStatement()
                    .execute("INSERT INTO staged_jobs (topic, job_name) VALUES ('" + topic + "', 'open')");
            tables.stage(topic, "k", "second");
            assertThat(enqueuer.drain()).isEqualTo(2);
            open.commit();
        }
        assertThat(published(topic)).containsExactly("first", "second");
        assertThat(enqueuer.drain()).isEqualTo(1);
        assertThat(enqueuer.drain()).isZero();
        assertThat(tables.jobs.all()).hasNoJobs();
    }

    @Test
    void it_drains_exactly_once_unless_it_is_told_otherwise_and_from_another_schema_if_it_is() {
        Schema shop = Schema.named("shop");
        tables.dsl.connection(shop::migrate);
        tables.dsl.execute("INSERT INTO shop.staged_jobs (topic, job_name) VALUES (?, 'other schema')", topic);
        assertThat(tables.enqueuer().with("database.schema", "shop").drain()).isEqualTo(1);
        assertThat(published(topic)).containsExactly("other schema");
        assertThat(tables.dsl.fetchValue("SELECT delivery FROM shop.staged_job_delivery"))
                .isEqualTo("exactly-once");
    }

    @Test
    void what_is_held_parked_or_paused_is_named_with_the_reason_and_the_jobs_and_the_rest_is_published() {
        String missing = topic + ".missing";
        String paused = KAFKA.newTopic("paused", 1);
        String compacted = topic + ".compacted";
        KAFKA.createTopic(compacted, 1, Map.of("cleanup.policy", "compact"));
        tables.dsl.execute("INSERT INTO staged_job_pauses (topic) VALUES (?)", paused);
        tables.stage(topic, "k", "flows");
        tables.stage(missing, "k", "for a missing topic");
        tables.stage(paused, "k", "for a paused topic");
        tables.stage(compacted, null, "keyless");
        assertThatThrownBy(enqueuer::drain)
                .isInstanceOf(AssertionError.class)
                .hasMessageStartingWith("could not drain all that was staged:\n")
                .hasMessageContainingAll(
                        "1 job of topic " + missing + " held: topic missing: the topic does not exist; create it",
                        "1 job of topic " + paused + " held: topic paused",
                        "1 job of topic " + compacted + " parked, see `staged-jobs parked list`: refused",
                        "Not published are 3 jobs:",
                        "\"for a missing topic\" of topic " + missing + ", key \"k\", no payload (held: topic missing");
        assertThat(published(topic)).containsExactly("flows");
        assertThat(tables.jobs.aside())
                .hasJob("for a missing topic")
                .heldBecause("topic missing")
                .hasJob("for a paused topic")
                .heldBecause("topic paused")
                .hasJob("keyless")
                .parkedBecause("refused");

        KAFKA.createTopic(missing, 1);
        tables.dsl.execute("DELETE FROM staged_job_pauses");
        tables.dsl.execute("DELETE FROM parked_jobs WHERE state = 'parked'");
        assertThat(enqueuer.drain()).isEqualTo(2);
    }

    @Test
    void while_everything_is_paused_that_is_said_at_once() {
        tables.stage(topic, "k", "waits");
        tables.dsl.execute("INSERT INTO staged_job_pauses (topic) VALUES ('*')");
        assertThatThrownBy(enqueuer::drain)
                .isInstanceOf(AssertionError.class)
                .hasMessageContainingAll("everything is paused", "Not published are 1 job:", "\"waits\"");
    }

    @Test
    void lanes_that_another_enqueuer_keeps_to_itself_are_given_up_when_nothing_moves() {
        tables.stage(topic, "k", "waits");
        takeAllLanes();
        assertThatThrownBy(enqueuer.giveUpAfter(Duration.ofMillis(500))::drain)
                .isInstanceOf(AssertionError.class)
                .hasMessageContainingAll(
                        "1 job of topic " + topic + " left staged: nothing was published for",
                        "another enqueuer owns the lanes");
    }

    /** By an enqueuer that seems to live for another hour. */
    private void takeAllLanes() {
        tables.dsl.execute("INSERT INTO staged_job_enqueuers (enqueuer, name, delivery, seen_at) VALUES"
                + " ('00000000-0000-0000-0000-000000000001', 'idle', 'at-least-once', now() + interval '1 hour')");
        tables.dsl.execute("UPDATE staged_job_lanes SET owner = '00000000-0000-0000-0000-000000000001'");
    }

    @Test
    void a_thread_that_is_interrupted_stops_draining_and_stays_interrupted() throws Exception {
        tables.stage(topic, "k", "waits");
        takeAllLanes();
        List<Object> told = new ArrayList<>();
        Thread draining = new Thread(() -> {
            try {
                enqueuer.drain();
            } catch (IllegalStateException e) {
                told.add(String.valueOf(e.getMessage()));
                told.add(Thread.currentThread().isInterrupted());
            }
        });
        draining.start();
        while (draining.isAlive() && tables.dsl.fetchCount(table("staged_job_enqueuers")) < 2) {
            Thread.onSpinWait();
        }
        draining.interrupt();
        draining.join();
        assertThat(told).containsExactly("interrupted while draining; unpublished jobs are still staged", true);
        assertThat(tables.dsl.fetchCount(table("staged_job_enqueuers"))).isEqualTo(1);
    }

    @Test
    void a_wrong_setting_and_a_server_that_is_not_there_are_told_as_such() {
        assertThatThrownBy(enqueuer.with("delivry", "exactly-once")::drain)
                .isInstanceOf(SettingsException.class)
                .hasMessageContaining("unknown setting delivry. The nearest known one is delivery.");
        assertThatThrownBy(TestEnqueuer.from(tables.database.url(), tables.database.username(), "wrong")
                        .to(KAFKA.bootstrapServers())::drain)
                .isInstanceOf(ExternalFailureException.class)
                .hasMessageContaining("password authentication failed");
    }
}
