package io.stagedjobs.consumer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.Isolation;
import io.stagedjobs.NoTransactionException;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.flywaydb.core.Flyway;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class InboxTest {

    private final Inbox inbox = Inbox.named("mailer");
    private final UUID job = UUID.randomUUID();

    private TestDatabase database;
    private DSLContext dsl;
    private UnitOfWork unit;
    private ExecutorService others;

    @BeforeEach
    void open() throws SQLException {
        database = TestPostgres.shared().newDatabase("inbox");
        dsl = DSL.using(database.dataSource(), SQLDialect.POSTGRES);
        unit = UnitOfWork.on(database.dataSource());
        others = Executors.newCachedThreadPool();
        try (Connection connection = database.connect()) {
            InboxSchema.migrate(connection, Schema.PUBLIC);
        }
        dsl.execute("CREATE TABLE effects (number int)");
    }

    @AfterEach
    void close() {
        others.shutdownNow();
    }

    private Connection transaction() throws SQLException {
        Connection connection = database.connect();
        connection.setAutoCommit(false);
        return connection;
    }

    private int effects() {
        return dsl.fetchCount(DSL.table("effects"));
    }

    private void awaitOneThatWaits() throws Exception {
        Eventually.until(
                "one waits for a lock",
                () -> dsl.fetchSingle("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                        + " AND wait_event_type = 'Lock'")
                                .get(0, int.class)
                        == 1);
    }

    @Test
    void a_job_is_handled_once_and_by_each_consumer() throws Exception {
        AtomicInteger handled = new AtomicInteger();
        for (String consumer : new String[] {"mailer", "mailer", "audit"}) {
            try (Connection connection = transaction()) {
                Inbox.named(consumer).once(connection, job, handled::incrementAndGet);
                connection.commit();
            }
        }
        assertThat(handled).hasValue(2);
    }

    @Test
    void a_transaction_that_rolls_back_leaves_the_job_to_be_handled() throws Exception {
        try (Connection connection = transaction()) {
            assertThat(inbox.claim(connection, job)).isTrue();
            assertThat(inbox.claim(connection, job)).isFalse();
            connection.rollback();
            assertThat(inbox.claim(connection, job)).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void a_twin_waits_for_the_transaction_that_claimed_the_job_and_then_knows_its_outcome(boolean commits)
            throws Exception {
        try (Connection first = transaction();
                Connection twin = transaction()) {
            assertThat(inbox.claim(first, job)).isTrue();
            Future<Boolean> second = others.submit(() -> inbox.claim(twin, job));
            awaitOneThatWaits();
            if (commits) {
                first.commit();
            } else {
                first.rollback();
            }
            assertThat(second.get(30, TimeUnit.SECONDS)).isEqualTo(!commits);
        }
    }

    @Test
    void a_twin_gives_up_after_a_while_and_says_what_to_do() throws Exception {
        dsl.execute("ALTER FUNCTION claim_job SET lock_timeout = '100ms'");
        try (Connection first = transaction();
                Connection twin = transaction()) {
            inbox.claim(first, job);
            assertThatThrownBy(() -> inbox.claim(twin, job))
                    .isInstanceOf(InboxException.class)
                    .hasMessageContaining("consumer \"mailer\" could not claim job " + job)
                    .hasMessageContaining("Nothing was handled; roll the transaction back")
                    .hasMessageContaining("Another transaction has been handling it")
                    .cause()
                    .isInstanceOfSatisfying(SQLException.class, cause -> assertThat(cause.getSQLState())
                            .isEqualTo("55P03"));
        }
    }

    @Test
    void ten_seconds_are_the_limit_and_the_caller_s_own_setting_stays() throws Exception {
        assertThat(dsl.fetchValue("SELECT array_to_string(proconfig, ' ') FROM pg_proc WHERE proname = 'claim_job'"))
                .asString()
                .contains("lock_timeout=10s");
        try (Connection connection = transaction()) {
            DSLContext mine = DSL.using(connection, SQLDialect.POSTGRES);
            mine.execute("SET LOCAL lock_timeout = '123ms'");
            inbox.claim(connection, job);
            assertThat(mine.fetchValue("SHOW lock_timeout")).isEqualTo("123ms");
        }
    }

    @ParameterizedTest
    @EnumSource(Isolation.class)
    void fifty_threads_with_one_job_have_its_effect_once(Isolation isolation) throws Exception {
        List<Future<?>> all = new ArrayList<>();
        UnitOfWork units = unit.isolation(isolation).attemptsMax(50);
        for (int i = 0; i < 50; i++) {
            int number = i;
            all.add(others.submit(() -> units.run(work ->
                    inbox.once(work, job, () -> work.dsl().execute("INSERT INTO effects VALUES (?)", number)))));
        }
        for (Future<?> one : all) {
            one.get(60, TimeUnit.SECONDS);
        }
        assertThat(effects()).isEqualTo(1);
    }

    @Test
    void of_many_jobs_those_are_claimed_that_were_not_handled() throws Exception {
        List<UUID> jobs = List.of(UUID.randomUUID(), UUID.randomUUID(), UUID.randomUUID());
        try (Connection connection = transaction()) {
            assertThat(inbox.claim(connection, jobs.subList(0, 1))).containsExactly(jobs.get(0));
            assertThat(inbox.claim(connection, jobs)).containsExactlyInAnyOrder(jobs.get(1), jobs.get(2));
            assertThat(inbox.claim(connection, List.of())).isEmpty();
        }
    }

    @Test
    void transactions_with_the_same_jobs_in_another_order_do_not_deadlock() throws Exception {
        for (int round = 0; round < 20; round++) {
            List<UUID> jobs = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                jobs.add(UUID.randomUUID());
            }
            List<Future<Integer>> both = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                List<UUID> shuffled = new ArrayList<>(jobs);
                Collections.shuffle(shuffled);
                both.add(others.submit(() -> {
                    try (Connection connection = transaction()) {
                        int claimed = inbox.claim(connection, shuffled).size();
                        connection.commit();
                        return claimed;
                    }
                }));
            }
            assertThat(both.get(0).get(30, TimeUnit.SECONDS) + both.get(1).get(30, TimeUnit.SECONDS))
                    .isEqualTo(jobs.size());
        }
    }

    @Test
    void a_connection_that_commits_each_statement_is_refused_and_nothing_is_claimed() throws Exception {
        try (Connection connection = database.connect()) {
            assertThatThrownBy(() -> inbox.claim(connection, job))
                    .isInstanceOf(NoTransactionException.class)
                    .hasMessageContaining("Nothing was claimed. Open a transaction first");
            assertThatThrownBy(() -> inbox.claim(connection, List.of(job))).isInstanceOf(NoTransactionException.class);
        }
        assertThat(dsl.fetchCount(DSL.table("processed_jobs"))).isZero();
    }

    @Test
    void without_its_tables_it_names_the_command_that_installs_them() throws Exception {
        TestDatabase empty = TestPostgres.shared().newDatabase("empty");
        try (Connection connection = empty.connect()) {
            assertThatThrownBy(() -> InboxSchema.requireCurrent(connection, Schema.PUBLIC))
                    .hasMessageContaining("cannot find the tables of the inbox in schema \"public\"")
                    .hasMessageContaining("staged-jobs migrate --inbox");
            connection.setAutoCommit(false);
            assertThatThrownBy(() -> inbox.claim(connection, job)).hasMessageContaining("staged-jobs migrate --inbox");
            connection.rollback();
            assertThatThrownBy(() ->
                            Inbox.named("mailer", Schema.named("elsewhere")).claim(connection, job))
                    .hasMessageContaining("name its schema");
        }
    }

    @Test
    void in_another_schema_beside_other_tables_of_these_names_it_uses_its_own() throws Exception {
        Schema shop = Schema.named("shop \"1\"");
        try (Connection connection = database.connect()) {
            assertThat(InboxSchema.migrate(connection, shop)).isEqualTo(1);
            assertThat(InboxSchema.migrate(connection, shop)).isZero();
            assertThat(InboxSchema.version(connection, shop)).isEqualTo(InboxSchema.versionKnown());
        }
        try (Connection connection = transaction()) {
            assertThat(Inbox.named("mailer", shop).claim(connection, job)).isTrue();
            assertThat(inbox.claim(connection, job)).isTrue();
            connection.commit();
        }
        assertThat(dsl.fetchCount(DSL.table(DSL.name("shop \"1\"", "processed_jobs"))))
                .isEqualTo(1);
    }

    @Test
    void flyway_applies_the_same_files() throws Exception {
        TestDatabase another = TestPostgres.shared().newDatabase("flyway");
        Flyway.configure()
                .dataSource(another.dataSource())
                .locations("classpath:io/stagedjobs/consumer/db")
                .load()
                .migrate();
        try (Connection connection = another.connect()) {
            InboxSchema.requireCurrent(connection, Schema.PUBLIC);
            connection.setAutoCommit(false);
            assertThat(inbox.claim(connection, job)).isTrue();
        }
    }

    @Test
    void a_role_that_may_only_insert_can_claim() throws Exception {
        dsl.execute("CREATE ROLE \"consumer of " + database.name() + "\" LOGIN PASSWORD 'secret'");
        dsl.execute("GRANT INSERT (consumer, job_id), SELECT (job_id) ON processed_jobs TO \"consumer of "
                + database.name() + "\"");
        try (Connection connection = database.connectAs("consumer of " + database.name(), "secret")) {
            connection.setAutoCommit(false);
            assertThat(inbox.claim(connection, job)).isTrue();
            assertThat(inbox.claim(connection, List.of(job))).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "line\nbreak"})
    void a_name_that_is_none_is_refused(String name) {
        assertThatThrownBy(() -> Inbox.named(name))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1 to 255 characters");
    }
}
