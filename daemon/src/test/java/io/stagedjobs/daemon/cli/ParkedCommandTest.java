package io.stagedjobs.daemon.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.postgres.ParkedChanges;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Selection;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a person does with the jobs that were moved aside, command by command. */
class ParkedCommandTest {

    private TestOutbox outbox;
    private Map<String, String> environment;
    private String topic;

    @BeforeEach
    void open() {
        outbox = new TestOutbox("parked");
        environment = Command.environment(outbox);
        topic = outbox.kafka.newTopic("parked", 1);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private Command.Answer parked(String... args) {
        String[] all = new String[args.length + 1];
        all[0] = "parked";
        System.arraycopy(args, 0, all, 1, args.length);
        return Command.run(environment, all);
    }

    /** Stages a job and moves it aside as an enqueuer would. */
    private long park(String key, String name, String state, String reason) {
        outbox.stage(topic, key, name);
        return outbox.dsl()
                .fetchSingle(
                        "WITH gone AS (DELETE FROM staged_jobs WHERE job_name = ? RETURNING *)"
                                + " INSERT INTO parked_jobs (lane, id, job_id, topic, job_key, job_name, payload,"
                                + " headers, staged_at,"
                                + " state, reason, error) SELECT lane, id, job_id, topic, job_key, job_name,"
                                + " payload, headers, staged_at, ?, ?, 'what Kafka said' FROM gone RETURNING id",
                        name,
                        state,
                        reason)
                .get(0, long.class);
    }

    private List<String> staged() {
        return outbox.dsl()
                .fetch("SELECT job_name FROM staged_jobs ORDER BY id")
                .getValues(0, String.class);
    }

    private List<String> aside() {
        return outbox.dsl()
                .fetch("SELECT job_name FROM parked_jobs ORDER BY id")
                .getValues(0, String.class);
    }

    @Test
    void list_and_show_tell_what_a_person_has_to_know_and_hide_the_payload() {
        long id = park("k\u001b[31m", "user.created", "parked", "too large");
        park("other", "held.one", "held", "topic missing");
        Command.Answer list = parked("list");
        assertThat(list.exitCode()).isZero();
        assertThat(list.out()).contains(id + " ", "parked  too large", topic, "user.created", "held    topic missing");
        assertThat(list.out()).doesNotContain("\u001b").contains("k\\u001b[31m");
        assertThat(parked("list", "--state", "held").out()).contains("held.one").doesNotContain("user.created");
        assertThat(parked("list", "--limit", "1").out()).contains("… and 1 more");
        assertThat(parked("list", "--json").out()).contains("\"id\":" + id, "\"state\":\"held\"");

        Command.Answer show = parked("show", String.valueOf(id));
        assertThat(show.out()).contains("what Kafka said", "payload    2 bytes").doesNotContain("{}");
        assertThat(parked("show", String.valueOf(id), "--payload").out()).contains("{}");
        assertThat(parked("show", "999999").exitCode()).isEqualTo(1);
        assertThat(parked("show", "999999").err()).contains("no job with id 999999 is moved aside");
    }

    @Test
    void requeue_puts_a_job_back_into_its_place_with_what_only_followed_it() {
        outbox.stage(topic, "k", "before");
        long id = park("k", "blamed", "parked", "too large");
        park("k", "follows.1", "parked", "follows");
        park("k", "follows.2", "parked", "follows");
        park("another", "of.another.key", "parked", "too large");
        outbox.stage(topic, "other", "after");
        Command.Answer answer = parked("requeue", String.valueOf(id), "--yes");
        assertThat(answer.err()).isEmpty();
        assertThat(answer.out()).contains("requeued 3 jobs, 2 of them only followed another");
        assertThat(staged()).containsExactly("before", "blamed", "follows.1", "follows.2", "after");
        assertThat(aside()).containsExactly("of.another.key");
        assertThat(Command.run(environment, "drain").exitCode()).isEqualTo(1);
        assertThat(outbox.namesIn(topic)).containsSubsequence("before", "blamed", "follows.1", "follows.2");
    }

    @Test
    void a_job_behind_a_parked_one_of_its_key_is_not_requeued_alone() {
        park("k", "first", "parked", "too large");
        long second = park("k", "second", "parked", "too large");
        Command.Answer answer = parked("requeue", String.valueOf(second), "--yes");
        assertThat(answer.exitCode()).isEqualTo(1);
        assertThat(answer.out()).contains("1 job kept: an earlier job of the same key is parked");
        assertThat(aside()).containsExactly("first", "second");
        assertThat(parked("requeue", "--topic", topic, "--key", "k", "--yes").exitCode())
                .isZero();
        assertThat(staged()).containsExactly("first", "second");
    }

    @Test
    void nothing_is_changed_without_a_yes_and_the_dry_run_tells_what_would_be() {
        long id = park("k", "blamed", "parked", "too large");
        park("k", "follows", "parked", "follows");
        Command.Answer dry = parked("requeue", "--all", "--dry-run");
        assertThat(dry.exitCode()).isZero();
        assertThat(dry.out()).contains("would have requeued 2 jobs");
        Command.Answer asked = parked("discard", String.valueOf(id));
        assertThat(asked.exitCode()).isEqualTo(1);
        assertThat(asked.out()).contains("would have discarded 1 job, requeued 1 job that only followed");
        assertThat(asked.err()).contains("Nothing was changed", "--yes");
        assertThat(aside()).containsExactly("blamed", "follows");
        assertThat(outbox.dsl().fetchValue("SELECT sum(generation) FROM staged_job_lanes"))
                .hasToString("0");
    }

    @Test
    void a_dry_run_only_counts_and_waits_for_nobody() throws Exception {
        long id = park("k", "blamed", "parked", "too large");
        try (Connection batch = outbox.transaction();
                Statement statement = batch.createStatement()) {
            statement.execute("SELECT FROM staged_job_lanes FOR UPDATE");
            statement.execute("LOCK TABLE staged_jobs, parked_jobs IN SHARE MODE"); // readers may, writers may not
            assertThat(parked("requeue", "--all", "--dry-run").out()).contains("would have requeued 1 job");
            assertThat(parked("discard", String.valueOf(id), "--dry-run").out()).contains("would have discarded 1 job");
        }
    }

    /** Of jobs of three keys and none, parked and held in any order, some of which are chosen. */
    @Test
    void a_dry_run_foretells_what_is_done_then() throws Exception {
        Random random = new Random(11);
        for (int round = 0; round < 8; round++) {
            List<Long> chosen = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                int kind = random.nextInt(5);
                String key = random.nextInt(8) == 0 ? null : "k" + random.nextInt(3);
                long id = park(
                        key,
                        "job." + round + "." + i,
                        kind == 0 ? "held" : "parked",
                        kind == 0 ? "topic missing" : kind < 3 ? "follows" : "too large");
                if (random.nextInt(3) == 0) {
                    chosen.add(id);
                }
            }
            Selection byId = new Selection(chosen.isEmpty() ? List.of(-1L) : chosen, null, null, null);
            Selection byKey = new Selection(List.of(), "parked", topic, "k" + random.nextInt(3));
            try (Connection connection = outbox.database.connect()) {
                ParkedChanges jobs = new ParkedChanges(connection, Schema.PUBLIC);
                assertThat(jobs.wouldRequeue(byKey)).isEqualTo(jobs.requeue(byKey));
                Selection parkedById = new Selection(byId.ids(), "parked", null, null);
                boolean requeues = random.nextBoolean();
                assertThat(requeues ? jobs.wouldRequeue(parkedById) : jobs.wouldDiscard(byId))
                        .isEqualTo(requeues ? jobs.requeue(parkedById) : jobs.discard(byId));
            }
        }
    }

    @Test
    void discard_deletes_for_good_and_what_only_followed_flows_again() {
        long id = park("k", "blamed", "parked", "too large");
        park("k", "follows", "parked", "follows");
        assertThat(parked("discard", String.valueOf(id), "--yes").out()).contains("discarded 1 job, requeued 1 job");
        assertThat(staged()).containsExactly("follows");
        assertThat(aside()).isEmpty();
        assertThat(outbox.dsl().fetchValue("SELECT max(generation) FROM staged_job_lanes"))
                .hasToString("1");
    }

    @Test
    void held_jobs_are_not_requeued_by_hand_but_may_be_discarded() {
        park("k", "held", "held", "topic missing");
        Command.Answer answer = parked("requeue", "--all", "--yes");
        assertThat(answer.exitCode()).isEqualTo(1);
        assertThat(answer.err()).contains("nothing to do");
        assertThat(parked("discard", "--topic", topic, "--state", "held", "--yes")
                        .out())
                .contains("discarded 1 job (1 held)");
    }

    @Test
    void what_is_not_clear_is_refused() {
        park("k", "blamed", "parked", "too large");
        assertThat(parked("requeue", "--yes").exitCode()).isEqualTo(2);
        assertThat(parked("requeue", "--yes").err()).contains("which jobs?");
        assertThat(parked("discard", "--all", "--topic", topic, "--yes").exitCode())
                .isEqualTo(2);
        assertThat(parked("discard", "--key", "k", "--yes").err()).contains("--key needs --topic");
        assertThat(parked("list", "--state", "lost").err()).contains("expected held or parked");
        assertThat(parked("list", "--limit", "0").exitCode()).isEqualTo(2);
        assertThat(parked("requeue", "--all", "--yes", "--dry-run").exitCode()).isEqualTo(2);
        assertThat(parked("requeue", "one").exitCode()).isEqualTo(2);
        assertThat(parked().exitCode()).isEqualTo(2);
        assertThat(aside()).containsExactly("blamed");
    }

    @Test
    void drain_names_what_is_held_parked_and_paused() {
        park("k", "blamed", "parked", "too large");
        String missing = topic + ".missing";
        outbox.stage(missing, "k", "held");
        String pausedTopic = outbox.kafka.newTopic("paused", 1);
        assertThat(Command.run(environment, "pause", "--topic", pausedTopic).out())
                .contains("paused topic " + pausedTopic);
        outbox.stage(pausedTopic, "k", "paused");
        outbox.stage(topic, "free", "flows");
        Command.Answer answer = Command.run(environment, "drain");
        assertThat(answer.exitCode()).isEqualTo(1);
        assertThat(answer.out()).contains("published 1 job");
        assertThat(answer.err())
                .contains(
                        "1 job of topic " + missing + " held: topic missing: the topic does not exist; create it",
                        "1 job of topic " + topic
                                + " parked, see `staged-jobs parked list`: too large: what Kafka said",
                        "1 job of topic " + pausedTopic + " held: topic paused");
        Command.Answer status = Command.run(environment, "status");
        assertThat(status.out()).contains(missing + " held: topic missing", "paused: " + pausedTopic);

        outbox.kafka.createTopic(missing, 1);
        assertThat(Command.run(environment, "resume", "--topic", pausedTopic).exitCode())
                .isZero();
        assertThat(Command.run(environment, "drain").out()).contains("published 2 jobs");
        assertThat(outbox.namesIn(missing)).containsExactly("held");
        assertThat(outbox.namesIn(pausedTopic)).containsExactly("paused");
    }

    @Test
    void while_everything_is_paused_drain_says_so_and_publishes_nothing() {
        outbox.stage(topic, "k", "waits");
        assertThat(Command.run(environment, "pause").out()).contains("paused everything");
        assertThat(Command.run(environment, "pause").out()).contains("everything was paused already");
        Command.Answer drain = Command.run(environment, "drain");
        assertThat(drain.exitCode()).isEqualTo(1);
        assertThat(drain.err()).contains("everything is paused", "staged-jobs resume");
        assertThat(outbox.waiting()).isEqualTo(1);
        assertThat(Command.run(environment, "resume").out()).contains("resumed everything");
        assertThat(Command.run(environment, "resume").out()).contains("everything was not paused");
        assertThat(Command.run(environment, "pause", "--topic", "no topic").exitCode())
                .isEqualTo(2);
        assertThat(Command.run(environment, "drain").exitCode()).isZero();
    }
}
