package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.faultkit.TestOutbox;
import java.sql.Connection;
import java.sql.Statement;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a person sees at a terminal while a command works; a lock of another session lets it take its time. */
class ProgressTest {

    private static final Terminal TERMINAL = new Terminal(true, true, true, () -> new Terminal.Size(80, 24));

    private TestOutbox outbox;
    private Map<String, String> environment;

    @BeforeEach
    void open() {
        outbox = new TestOutbox("progress");
        environment = Command.environment(outbox);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private void park(int jobs) {
        outbox.dsl()
                .execute(
                        "INSERT INTO parked_jobs (lane, id, job_id, topic, job_name, staged_at, state, reason)"
                                + " SELECT 0, n, gen_random_uuid(), 't', 'n', now(), 'parked', 'too large'"
                                + " FROM generate_series(1, ?) AS n",
                        jobs);
    }

    /** A transaction that holds the locks of all lanes, as their owners do. */
    private Connection withAllLanes() throws Exception {
        Connection owner = outbox.transaction();
        try (Statement statement = owner.createStatement()) {
            statement.execute("SELECT FROM staged_job_lanes FOR UPDATE");
        }
        return owner;
    }

    @Test
    void requeue_and_discard_show_how_many_jobs_there_are_and_erase_that_at_the_end() throws Exception {
        for (String verb : new String[] {"requeue", "discard"}) {
            park(300);
            try (Connection owner = withAllLanes();
                    Command.Running command =
                            new Command.Running(environment, TERMINAL, "parked", verb, "--all", "--yes")) {
                command.await(verb + ": [................] 0 of 300 jobs, 0 %");
                owner.rollback();
                assertThat(command.exitCode()).as(command.err()).isZero();
                assertThat(command.out()).contains("ed 300 jobs");
                assertThat(command.err()).endsWith(TerminalWriter.ERASE_LINE);
            }
        }
    }

    @Test
    void drain_shows_its_progress_and_erases_that_at_the_end() throws Exception {
        String topic = outbox.kafka.newTopic("progress", 1);
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name)"
                                + " SELECT ?, n::text, 'n' FROM generate_series(1, 200) AS n",
                        topic);
        try (Connection owner = withAllLanes();
                Command.Running drain = new Command.Running(environment, TERMINAL, "drain")) {
            drain.await(" of 200 jobs, ");
            owner.rollback();
            assertThat(drain.exitCode()).as(drain.err()).isZero();
            assertThat(drain.out()).isEqualToNormalizingNewlines("published 200 jobs\n");
            assertThat(drain.err()).endsWith(TerminalWriter.ERASE_LINE);
        }
    }
}
