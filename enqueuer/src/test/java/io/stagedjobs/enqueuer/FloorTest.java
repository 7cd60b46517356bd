package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Where reads begin, beside transactions that are open, prepared or late; on a real PostgreSQL. */
class FloorTest {

    private static final String KEY = "k";

    private final AtomicLong clock = new AtomicLong();
    private final List<Long> readsAfter = new ArrayList<>();

    private Outbox outbox;
    private PostgresLanes lanes;
    private CommitHorizon horizon;
    private String topic;
    private int lane;

    @BeforeEach
    void open() {
        outbox = new Outbox("floor");
        lanes = outbox.lanes();
        horizon = new CommitHorizon(lanes, clock::get);
        topic = outbox.kafka.newTopic("floor", 1);
        lane = outbox.laneOf(topic, KEY);
        lanes.membership().beat();
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private void stage(String name) {
        outbox.stage(topic, KEY, name);
    }

    private CommitHorizon.View lookAfter(Duration passed) {
        clock.addAndGet(passed.toNanos());
        return horizon.look();
    }

    private CommitHorizon.View lookSoon() {
        return lookAfter(Duration.ofMillis(200));
    }

    private static void execute(Connection connection, String sql) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** The lanes, with a note of where each read begins. */
    private Lanes watched() {
        return (Lanes) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {Lanes.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("claim")) {
                        readsAfter.add(((ReadCriteria) arguments[3]).after());
                    }
                    Object answer = invoke(() -> method.invoke(lanes, arguments));
                    if (answer instanceof ClaimResult claim && claim.transaction() != null) {
                        return ClaimResult.of(watched(claim.transaction()), claim.read());
                    }
                    return answer;
                });
    }

    private LaneTransaction watched(LaneTransaction transaction) {
        return (LaneTransaction) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {LaneTransaction.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("read")) {
                        readsAfter.add(((ReadCriteria) arguments[0]).after());
                    }
                    return invoke(() -> method.invoke(transaction, arguments));
                });
    }

    private interface Call {
        Object invoke() throws Exception;
    }

    private static Object invoke(Call call) throws Throwable {
        try {
            return call.invoke();
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /** Stages and publishes the jobs 1, 2 and so on, so long after each other and in so many turns each. */
    private void publish(LaneRunner runner, int jobs, int turns, Duration apart) {
        for (int i = 1; i <= jobs; i++) {
            stage("" + i);
            for (int turn = 0; turn < turns; turn++) {
                runner.runOnce();
            }
            clock.addAndGet(apart.toNanos());
        }
    }

    private long lastReadAfter() {
        return readsAfter.get(readsAfter.size() - 1);
    }

    @Test
    void an_id_is_settled_when_all_that_could_commit_a_lower_one_are_over() throws Exception {
        try (Connection writer = outbox.transaction()) {
            Outbox.stage(writer, topic, KEY, "1");
            stage("2");
            assertThat(horizon.look().safeUpTo()).isZero();
            assertThat(lookSoon().safeUpTo()).isZero();
            writer.commit();
        }
        assertThat(lookSoon().safeUpTo()).isEqualTo(2);
        stage("3");
        assertThat(lookSoon().safeUpTo()).isEqualTo(3);
    }

    @Test
    void a_prepared_transaction_and_one_that_has_only_locked_the_table_are_not_over() throws Exception {
        try (Connection preparing = outbox.transaction();
                Connection locking = outbox.transaction()) {
            Outbox.stage(preparing, topic, KEY, "1");
            execute(preparing, "PREPARE TRANSACTION 'floor'");
            stage("2");
            horizon.look();
            assertThat(lookSoon().safeUpTo()).isZero();
            execute(locking, "LOCK TABLE staged_jobs IN ROW EXCLUSIVE MODE");
            stage("3");
            lookSoon();
            preparing.setAutoCommit(true);
            execute(preparing, "COMMIT PREPARED 'floor'");
            assertThat(lookSoon().safeUpTo()).isEqualTo(2);
            locking.rollback();
        }
        assertThat(lookSoon().safeUpTo()).isEqualTo(3);
    }

    @Test
    void a_look_that_postgresql_does_not_answer_leaves_what_is_known() {
        stage("1");
        CommitHorizon.View known = lookSoon();
        Lanes away = (Lanes) Proxy.newProxyInstance(
                Lanes.class.getClassLoader(), new Class<?>[] {Lanes.class}, (proxy, method, args) -> {
                    throw new ExternalFailureException(Origin.POSTGRESQL, "no answer", null);
                });
        assertThat(new CommitHorizon(away, clock::get).look()).isEqualTo(CommitHorizon.View.NOTHING);
        assertThat(known.safeUpTo()).isEqualTo(1);
    }

    @Test
    void an_old_transaction_is_an_exception_until_it_is_over() throws Exception {
        long generation = lanes.take(lane).orElseThrow().generation();
        try (Connection writer = outbox.transaction()) {
            execute(writer, "SAVEPOINT part");
            Outbox.stage(writer, topic, KEY, "1");
            stage("2");
            horizon.look();
            stage("3");
            CommitHorizon.View view = lookAfter(Duration.ofSeconds(2));
            assertThat(view.safeUpTo()).isZero();
            assertThat(view.safeUpToExcept()).isEqualTo(3);
            assertThat(view.exceptions()).hasSize(1);
            try (LaneTransaction transaction = lanes.begin(lane, generation).orElseThrow()) {
                assertThat(transaction.anyOver(view.exceptions())).isFalse();
                execute(writer, "RELEASE SAVEPOINT part");
                assertThat(transaction.anyOver(view.exceptions())).isFalse();
                writer.commit();
                assertThat(transaction.anyOver(view.exceptions())).isTrue();
            }
        }
        assertThat(lookSoon()).satisfies(view -> {
            assertThat(view.safeUpTo()).isEqualTo(3);
            assertThat(view.exceptions()).isEmpty();
        });
    }

    @Test
    void an_old_transaction_that_has_drawn_no_id_yet_is_not_over_either() throws Exception {
        long generation = lanes.take(lane).orElseThrow().generation();
        try (Connection writer = outbox.transaction()) {
            execute(writer, "LOCK TABLE staged_jobs IN ROW EXCLUSIVE MODE");
            horizon.look();
            Set<String> exceptions = lookAfter(Duration.ofSeconds(2)).exceptions();
            assertThat(exceptions).hasSize(1);
            try (LaneTransaction transaction = lanes.begin(lane, generation).orElseThrow()) {
                assertThat(transaction.anyOver(exceptions)).isFalse();
                writer.rollback();
                assertThat(transaction.anyOver(exceptions)).isTrue();
            }
        }
    }

    @Test
    void reads_begin_above_what_is_gone() {
        LaneRunner runner = outbox.runner(lane, watched(), outbox.publisher(Map.of()), clock::get);
        publish(runner, 3, 1, Duration.ofMillis(200));
        assertThat(readsAfter).containsExactly(0L, 1L, 2L);
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2", "3");
    }

    /** Publishes beside an open transaction that has staged a job before, and commits that one at the end. */
    private void publishThreeBesideAnOldOne(LaneRunner runner) throws Exception {
        try (Connection writer = outbox.transaction()) {
            Outbox.stage(writer, topic, KEY, "old");
            publish(runner, 3, 1, Duration.ofSeconds(2));
            runner.runOnce();
            assertThat(lastReadAfter()).as("the old transaction has id 1").isGreaterThan(1);
            writer.commit();
        }
    }

    @Test
    void reads_begin_above_an_old_transaction_and_what_it_commits_comes_before_what_follows_it() throws Exception {
        LaneRunner runner = outbox.runner(lane, watched(), outbox.publisher(Map.of()), clock::get);
        publishThreeBesideAnOldOne(runner);
        stage("follows");
        runner.runOnce();
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2", "3", "old", "follows");
    }

    @Test
    void an_old_transaction_that_commits_into_an_idle_lane_is_noticed() throws Exception {
        LaneRunner runner = outbox.runner(lane, watched(), outbox.publisher(Map.of()), clock::get);
        publishThreeBesideAnOldOne(runner);
        runner.runOnce();
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2", "3", "old");
    }

    @Test
    void reads_begin_above_what_is_gone_while_jobs_of_the_lane_are_held_too() {
        String missing = topic + ".missing";
        LaneRunner runner = outbox.runner(lane, watched(), outbox.publisher(Map.of()), clock::get);
        outbox.stage(missing, outbox.keyOfLane(missing, lane), "held");
        publish(runner, 4, 2, Duration.ofSeconds(1));
        assertThat(outbox.aside()).hasSize(1);
        assertThat(lastReadAfter()).isGreaterThan(2);
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2", "3", "4");
    }

    @Test
    void ids_that_begin_anew_are_found() {
        LaneRunner runner = outbox.runner(lane, watched(), outbox.publisher(Map.of()), clock::get);
        publish(runner, 3, 1, Duration.ofMillis(200));
        assertThat(lastReadAfter()).isEqualTo(2);
        outbox.dsl().execute("TRUNCATE staged_jobs RESTART IDENTITY");
        for (int i = 4; i <= 9; i++) {
            stage("" + i); // past the floor at once
        }
        runner.runOnce(); // finds out that its lane has to be acquired anew
        runner.runOnce();
        assertThat(outbox.namesIn(topic)).containsExactly("1", "2", "3", "4", "5", "6", "7", "8", "9");
    }

    @Test
    void held_jobs_that_return_lie_below_the_floor_and_are_found() {
        String missing = topic + ".missing";
        String key = outbox.keyOfLane(missing, lane);
        LaneRunner runner = outbox.runner(lane, watched(), outbox.publisher(Map.of()), clock::get);
        outbox.stage(missing, key, "held");
        publish(runner, 3, 2, Duration.ofSeconds(2));
        assertThat(outbox.aside()).hasSize(1);
        outbox.kafka.createTopic(missing, 1);
        for (int i = 0; i < 4; i++) {
            clock.addAndGet(MovedAside.LOOK_EVERY.toNanos());
            runner.runOnce();
        }
        assertThat(outbox.namesIn(missing)).containsExactly("held");
        assertThat(outbox.waiting()).isZero();
    }
}
