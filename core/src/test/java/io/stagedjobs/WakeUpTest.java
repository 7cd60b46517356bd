package io.stagedjobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.ds.PGSimpleDataSource;

class WakeUpTest {

    private static final int PATIENCE_MILLIS = 30_000;

    private final SchemaFixture fixture = new SchemaFixture("wakeup");
    private HikariDataSource pool;
    private Connection listener;

    @BeforeEach
    void listen() throws SQLException {
        pool = fixture.pool(2);
        listener = fixture.database.connect();
        try (Statement statement = listener.createStatement()) {
            statement.execute("LISTEN " + WakeUp.CHANNEL);
        }
    }

    @AfterEach
    void close() throws SQLException {
        listener.close();
        pool.close();
    }

    private static StagedJob job() {
        return StagedJob.builder("orders", "order.created").build();
    }

    /** What was signalled until the schema {@code end} was: signals come in the order in which they were committed. */
    private List<String> signalledUntil(String end) throws SQLException {
        List<String> signalled = new ArrayList<>();
        while (!signalled.contains(end)) {
            PGNotification[] notifications = listener.unwrap(PGConnection.class).getNotifications(PATIENCE_MILLIS);
            assertThat(notifications).as("signals after %s", signalled).isNotEmpty();
            for (PGNotification notification : notifications) {
                signalled.add(notification.getParameter());
            }
        }
        return signalled;
    }

    private void signal(String schema) throws SQLException {
        try (Connection connection = fixture.database.connect();
                Statement statement = connection.createStatement()) {
            statement.execute("NOTIFY " + WakeUp.CHANNEL + ", '" + schema + "'");
        }
    }

    @Test
    void a_unit_of_work_that_staged_a_job_wakes_the_enqueuers_of_its_schema_after_its_commit() throws Exception {
        try (WakeUp wakeUp = WakeUp.on(pool)) {
            UnitOfWork.on(pool).waking(wakeUp).run(work -> work.stage(job()));
            assertThat(signalledUntil("public")).containsExactly("public");
            assertThat(fixture.namesStaged()).containsExactly("order.created");
        }
    }

    @Test
    void a_unit_that_stages_nothing_or_is_rolled_back_wakes_nobody() throws Exception {
        try (WakeUp wakeUp = WakeUp.on(pool, Schema.named("its own"))) {
            UnitOfWork unit = UnitOfWork.on(pool).waking(wakeUp);
            unit.run(work -> work.dsl().execute("SELECT 1"));
            assertThatThrownBy(() -> unit.run(work -> {
                        work.stage(job());
                        throw new IllegalStateException("no");
                    }))
                    .hasMessage("no");
            wakeUp.committed();
            assertThat(signalledUntil("its own")).containsExactly("its own");
        }
    }

    @Test
    void a_unit_that_joins_another_wakes_the_enqueuers_after_the_commit_of_that_one() throws Exception {
        try (WakeUp wakeUp = WakeUp.on(pool)) {
            UnitOfWork inner = UnitOfWork.on(pool).waking(wakeUp);
            UnitOfWork.on(pool).run(outer -> {
                inner.run(work -> work.stage(job()));
                signal("before the commit");
            });
            assertThat(signalledUntil("public")).containsExactly("before the commit", "public");
        }
    }

    @Test
    void many_commits_within_a_moment_become_few_signals() throws Exception {
        try (WakeUp wakeUp = WakeUp.on(pool)) {
            for (int i = 0; i < 1_000; i++) {
                wakeUp.committed();
            }
            assertThat(signalledUntil("public")).hasSizeLessThan(10);
        }
        signal("the end");
        assertThat(signalledUntil("the end")).hasSizeLessThan(100);
    }

    @Test
    void a_signal_that_cannot_be_sent_harms_nobody_and_the_next_one_is_sent() throws Exception {
        CountDownLatch refused = new CountDownLatch(1);
        PGSimpleDataSource refusesOnce = new PGSimpleDataSource() {
            @Override
            public Connection getConnection() throws SQLException {
                if (refused.getCount() > 0) {
                    refused.countDown();
                    throw new SQLException("no connection is free");
                }
                return pool.getConnection();
            }
        };
        try (WakeUp wakeUp = WakeUp.on(refusesOnce)) {
            wakeUp.committed();
            refused.await();
            wakeUp.committed();
            assertThat(signalledUntil("public")).containsExactly("public");
        }
    }
}
