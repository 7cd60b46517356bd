package io.stagedjobs.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.MeterRegistry;
import io.stagedjobs.JobRefusedException;
import io.stagedjobs.NoTransactionException;
import io.stagedjobs.StagedJob;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.WakeUp;
import java.sql.Connection;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.dao.DuplicateKeyException;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.jdbc.datasource.DataSourceUtils;
import org.springframework.jdbc.datasource.TransactionAwareDataSourceProxy;
import org.springframework.stereotype.Service;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.TransactionDefinition;
import org.springframework.transaction.annotation.Transactional;
import org.springframework.transaction.event.TransactionPhase;
import org.springframework.transaction.event.TransactionalEventListener;
import org.springframework.transaction.support.AbstractPlatformTransactionManager;
import org.springframework.transaction.support.DefaultTransactionStatus;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;
import org.springframework.transaction.support.TransactionTemplate;

/** An application that speaks JDBC, and jOOQ on the same data source; no enqueuer runs. */
class JdbcTransactionsTest extends TransactionContract {

    private static final int PATIENCE_MILLIS = 30_000;

    private static RunningApplication application;

    private final TransactionalStagedJobs stagedJobs = application.bean(TransactionalStagedJobs.class);
    private final Users users = application.bean(Users.class);
    private final AfterCommits afterCommits = application.bean(AfterCommits.class);
    private final PlatformTransactionManager transactions = application.bean(PlatformTransactionManager.class);

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @Import({Users.class, Listeners.class, AfterCommits.class})
    static class Application {}

    @Service
    static class Users {
        private final JdbcClient jdbc;
        private final TransactionalStagedJobs stagedJobs;

        Users(JdbcClient jdbc, TransactionalStagedJobs stagedJobs) {
            this.jdbc = jdbc;
            this.stagedJobs = stagedJobs;
        }

        void insert(String email) {
            jdbc.sql("INSERT INTO users (email) VALUES (?)").param(email).update();
        }

        @Transactional
        public void create(String email) {
            insert(email);
            stagedJobs.stage(job("created"));
        }

        @Transactional
        public void createAndFail(String email) {
            create(email);
            throw new IllegalStateException("after staging");
        }

        @Transactional(readOnly = true)
        public void createWhereNothingMayBeWritten() {
            stagedJobs.stage(job("read only"));
        }
    }

    record Ended(String phase) {}

    static class Listeners {
        private final TransactionalStagedJobs stagedJobs;
        private final List<Throwable> refusals = new ArrayList<>();

        Listeners(TransactionalStagedJobs stagedJobs) {
            this.stagedJobs = stagedJobs;
        }

        @TransactionalEventListener(phase = TransactionPhase.BEFORE_COMMIT)
        void before(Ended event) {
            stagedJobs.stage(job("before " + event.phase()));
        }

        @TransactionalEventListener(phase = TransactionPhase.AFTER_COMMIT)
        void after(Ended event) {
            try {
                stagedJobs.stage(job("after " + event.phase()));
            } catch (NoTransactionException e) {
                refusals.add(e);
            }
        }
    }

    /** What is told after commits, and what another session saw then. */
    static class AfterCommits implements CommitListener {
        private final List<Integer> jobs = new ArrayList<>();
        private final List<List<String>> visible = new ArrayList<>();

        @Override
        public void committed(int count) {
            jobs.add(count);
            visible.add(application.staged());
        }
    }

    @BeforeAll
    static void start() {
        application = new RunningApplication(Application.class, RunningApplication.WITHOUT_JPA);
    }

    @AfterAll
    static void end() {
        application.close();
    }

    @BeforeEach
    void forgetCommits() {
        afterCommits.jobs.clear();
        afterCommits.visible.clear();
    }

    @Override
    RunningApplication application() {
        return application;
    }

    @Override
    void create(String email) {
        users.create(email);
    }

    @Override
    void createAndFail(String email) {
        users.createAndFail(email);
    }

    private TransactionTemplate nested() {
        TransactionTemplate template = new TransactionTemplate(transactions);
        template.setPropagationBehavior(TransactionDefinition.PROPAGATION_NESTED);
        return template;
    }

    private void inTransaction(Runnable statements) {
        new TransactionTemplate(transactions).executeWithoutResult(status -> statements.run());
    }

    private void inNestedThatRollsBack(Runnable statements) {
        nested().executeWithoutResult(status -> {
            statements.run();
            status.setRollbackOnly();
        });
    }

    @Test
    void a_proxy_that_knows_transactions_may_stand_before_the_data_source() {
        TransactionalStagedJobs behindProxy = new TransactionalStagedJobs(
                new TransactionAwareDataSourceProxy(application.bean(DataSource.class)), new StagedJobs(), jobs -> {});
        inTransaction(() -> behindProxy.stage(job("by proxy")));
        assertThat(application.staged()).containsExactly("by proxy");
    }

    @Test
    void jobs_keep_the_order_in_which_they_were_staged() {
        inTransaction(() -> {
            stagedJobs.stage(job("1"));
            stagedJobs.stage(List.of(job("2"), job("3")));
            stagedJobs.stage(List.of());
            stagedJobs.stage(job("4"));
        });
        assertThat(application.staged()).containsExactly("1", "2", "3", "4");
    }

    @Test
    void staging_in_a_transaction_of_something_else_fails_at_once() {
        TransactionTemplate ofNothing = new TransactionTemplate(new TransactionsOfNothing());
        assertThatThrownBy(() -> ofNothing.executeWithoutResult(status -> stagedJobs.stage(job("elsewhere"))))
                .isInstanceOf(NoTransactionException.class)
                .hasMessageContainingAll("not one of the data source", "Nothing was staged");
        assertThat(application.staged()).isEmpty();
    }

    @Test
    void staging_before_the_commit_joins_it_and_staging_after_it_fails_at_once() {
        Listeners listeners = application.bean(Listeners.class);
        List<Throwable> refusals = new ArrayList<>();
        inTransaction(() -> {
            application.context().publishEvent(new Ended("commit"));
            TransactionSynchronizationManager.registerSynchronization(new TransactionSynchronization() {
                @Override
                public void afterCommit() {
                    try {
                        stagedJobs.stage(job("too late"));
                    } catch (NoTransactionException e) {
                        refusals.add(e);
                    }
                    TransactionTemplate another = new TransactionTemplate(transactions);
                    another.setPropagationBehavior(TransactionDefinition.PROPAGATION_REQUIRES_NEW);
                    another.executeWithoutResult(status -> stagedJobs.stage(job("in one of its own")));
                }
            });
        });
        assertThat(refusals).singleElement().satisfies(e -> assertThat(e)
                .hasMessageContainingAll("has been committed already", "REQUIRES_NEW"));
        assertThat(listeners.refusals).hasSize(1);
        assertThat(application.staged()).containsExactly("before commit", "in one of its own");
        assertThat(afterCommits.jobs).containsExactlyInAnyOrder(1, 1);
    }

    @Test
    void a_job_of_a_nested_transaction_that_rolls_back_is_not_stored_and_the_others_are() {
        inTransaction(() -> {
            stagedJobs.stage(job("before"));
            inNestedThatRollsBack(() -> stagedJobs.stage(List.of(job("rolled back"), job("rolled back"))));
            nested().executeWithoutResult(status -> stagedJobs.stage(job("nested")));
            stagedJobs.stage(job("after"));
        });
        assertThat(application.staged()).containsExactly("before", "nested", "after");
        assertThat(afterCommits.jobs).containsExactly(3);
    }

    @Test
    void so_is_one_of_a_savepoint_that_the_application_set_by_itself() {
        DataSource dataSource = application.bean(DataSource.class);
        inTransaction(() -> {
            stagedJobs.stage(job("before"));
            Connection connection = DataSourceUtils.getConnection(dataSource);
            try {
                Savepoint savepoint = connection.setSavepoint();
                stagedJobs.stage(job("rolled back"));
                connection.rollback(savepoint);
            } catch (java.sql.SQLException e) {
                throw new IllegalStateException(e);
            } finally {
                DataSourceUtils.releaseConnection(connection, dataSource);
            }
        });
        assertThat(application.staged()).containsExactly("before");
    }

    @Test
    void a_transaction_of_its_own_stores_its_jobs_whatever_becomes_of_the_outer_one() {
        TransactionTemplate another = new TransactionTemplate(transactions);
        another.setPropagationBehavior(TransactionDefinition.PROPAGATION_REQUIRES_NEW);
        new TransactionTemplate(transactions).executeWithoutResult(outer -> {
            stagedJobs.stage(job("outer"));
            another.executeWithoutResult(inner -> stagedJobs.stage(job("inner")));
            outer.setRollbackOnly();
        });
        assertThat(application.staged()).containsExactly("inner");
        assertThat(afterCommits.jobs).containsExactly(1);
    }

    @Test
    void a_job_that_the_table_refuses_fails_where_it_is_staged_and_takes_the_transaction_with_it() {
        StagedJob tooLarge =
                StagedJob.builder("users", "large").payload(new byte[900_001]).build();
        assertThatThrownBy(() -> inTransaction(() -> {
                    users.insert("ann");
                    assertThatThrownBy(() -> stagedJobs.stage(tooLarge)).isInstanceOf(JobRefusedException.class);
                }))
                .hasMessageContaining("cannot commit a transaction in which a statement failed");
        assertThat(application.users()).isEmpty();
        assertThat(afterCommits.jobs).isEmpty();
    }

    @Test
    void an_sql_error_that_is_swallowed_after_staging_is_no_success() {
        assertThatThrownBy(() -> inTransaction(() -> {
                    users.create("ann");
                    assertThatThrownBy(() -> users.insert("ann")).isInstanceOf(DuplicateKeyException.class);
                }))
                .hasMessageContainingAll("cannot commit", "no job staged");
        inTransaction(() -> {
            users.create("bob");
            assertThatThrownBy(() -> nested().executeWithoutResult(status -> users.insert("bob")))
                    .isInstanceOf(DuplicateKeyException.class);
        });
        assertThat(application.users()).containsExactly("bob");
        assertThat(application.staged()).containsExactly("created");
    }

    /** As a {@code @TransactionalEventListener} of the phase BEFORE_COMMIT does that catches too much. */
    @Test
    void nor_is_one_that_is_swallowed_while_the_commit_is_prepared() {
        users.create("ann");
        assertThatThrownBy(() -> inTransaction(() -> {
                    stagedJobs.stage(job("before"));
                    beforeCommit(() ->
                            assertThatThrownBy(() -> users.insert("ann")).isInstanceOf(DuplicateKeyException.class));
                }))
                .hasMessageContainingAll("cannot commit", "no job staged");
        StagedJob tooLarge =
                StagedJob.builder("users", "large").payload(new byte[900_001]).build();
        assertThatThrownBy(() -> inTransaction(() -> {
                    users.insert("bob");
                    beforeCommit(() -> assertThatThrownBy(() -> stagedJobs.stage(tooLarge))
                            .isInstanceOf(JobRefusedException.class));
                }))
                .hasMessageContainingAll("cannot commit", "no job staged");
        assertThat(application.users()).containsExactly("ann");
        assertThat(application.staged()).containsExactly("created");
        assertThat(afterCommits.jobs).containsExactly(1);
    }

    private static void beforeCommit(Runnable statements) {
        TransactionSynchronizationManager.registerSynchronization(new TransactionSynchronization() {
            @Override
            public void beforeCommit(boolean readOnly) {
                statements.run();
            }
        });
    }

    @Test
    void a_transaction_that_may_only_read_stages_nothing() {
        assertThatThrownBy(users::createWhereNothingMayBeWritten).hasMessageContaining("SQLSTATE 25006");
        assertThat(application.staged()).isEmpty();
    }

    @Test
    void a_transaction_of_jooq_is_one_of_springs() {
        DSLContext dsl = application.bean(DSLContext.class);
        dsl.transaction(outer -> {
            outer.dsl().execute("INSERT INTO users (email) VALUES ('ann')");
            stagedJobs.stage(job("jooq"));
            assertThatThrownBy(() -> outer.dsl().transaction(inner -> {
                        stagedJobs.stage(job("rolled back"));
                        throw new IllegalStateException("no");
                    }))
                    .hasMessageContaining("no");
        });
        assertThat(application.users()).containsExactly("ann");
        assertThat(application.staged()).containsExactly("jooq");
    }

    @Test
    void who_listens_is_told_once_after_the_commit_and_never_after_a_rollback() {
        inTransaction(() -> {
            stagedJobs.stage(job("1"));
            stagedJobs.stage(job("2"));
            assertThat(afterCommits.jobs).isEmpty();
        });
        assertThat(afterCommits.jobs).containsExactly(2);
        assertThat(afterCommits.visible).containsExactly(List.of("1", "2"));

        assertThatThrownBy(() -> users.createAndFail("bob")).hasMessage("after staging");
        inTransaction(() -> users.insert("cem"));
        inTransaction(() -> inNestedThatRollsBack(() -> stagedJobs.stage(job("rolled back"))));
        assertThat(afterCommits.jobs).containsExactly(2);
    }

    @Test
    void who_listens_is_told_even_if_something_else_fails_after_the_commit() {
        assertThatThrownBy(() -> inTransaction(() -> {
                    TransactionSynchronizationManager.registerSynchronization(new TransactionSynchronization() {
                        @Override
                        public void afterCommit() {
                            throw new IllegalStateException("a mail could not be sent");
                        }
                    });
                    stagedJobs.stage(job("committed"));
                }))
                .hasMessage("a mail could not be sent");
        assertThat(application.staged()).containsExactly("committed");
        assertThat(afterCommits.jobs).containsExactly(1);
    }

    @Test
    void who_listens_and_fails_does_not_make_the_commit_look_failed() {
        TransactionalStagedJobs careless =
                new TransactionalStagedJobs(application.bean(DataSource.class), new StagedJobs(), jobs -> {
                    throw new IllegalStateException("careless");
                });
        inTransaction(() -> careless.stage(job("committed")));
        assertThat(application.staged()).containsExactly("committed");
    }

    /** In an application of its own: those that other tests have woken may be late. */
    @Test
    void enqueuers_are_woken_after_the_commit_only() throws Exception {
        try (RunningApplication own = new RunningApplication(Application.class, RunningApplication.WITHOUT_JPA);
                Connection listener = own.database.connect();
                Statement statement = listener.createStatement()) {
            statement.execute("LISTEN " + WakeUp.CHANNEL);
            TransactionTemplate template = new TransactionTemplate(own.bean(PlatformTransactionManager.class));
            template.executeWithoutResult(status -> {
                own.bean(TransactionalStagedJobs.class).stage(job("1"));
                own.execute("NOTIFY " + WakeUp.CHANNEL + ", 'staged'");
            });
            assertThat(signals(listener, 2)).containsExactly("staged", "public");

            assertThatThrownBy(() -> own.bean(Users.class).createAndFail("ann")).hasMessage("after staging");
            own.execute("NOTIFY " + WakeUp.CHANNEL + ", 'rolled back'");
            own.bean(Users.class).create("ann");
            assertThat(signals(listener, 2)).containsExactly("rolled back", "public");
        }
    }

    private static List<String> signals(Connection listener, int count) throws Exception {
        List<String> heard = new ArrayList<>();
        while (heard.size() < count) {
            PGNotification[] signals = listener.unwrap(PGConnection.class).getNotifications(PATIENCE_MILLIS);
            assertThat(signals).as("signals after %s", heard).isNotEmpty();
            for (PGNotification signal : signals) {
                heard.add(signal.getParameter());
            }
        }
        return heard;
    }

    @Test
    void committed_jobs_are_counted() {
        MeterRegistry registry = application.bean(MeterRegistry.class);
        double before = registry.get(CommittedJobsMeter.NAME).counter().count();
        users.create("ann");
        assertThatThrownBy(() -> users.createAndFail("bob")).hasMessage("after staging");
        assertThat(registry.get(CommittedJobsMeter.NAME).counter().count() - before)
                .isEqualTo(1);
    }

    @Test
    void the_tables_are_there_because_the_application_asked_for_them() {
        assertThat(application.column("SELECT max(version)::text FROM staged_jobs_schema"))
                .containsExactly("" + io.stagedjobs.schema.Schema.versionKnown());
        assertThat(application.context().getBeansOfType(EmbeddedEnqueuer.class)).isEqualTo(Map.of());
    }

    /** Of a queue, say: its transactions have no connection. */
    private static final class TransactionsOfNothing extends AbstractPlatformTransactionManager {
        @Override
        protected Object doGetTransaction() {
            return this;
        }

        @Override
        protected void doBegin(Object transaction, TransactionDefinition definition) {}

        @Override
        protected void doCommit(DefaultTransactionStatus status) {}

        @Override
        protected void doRollback(DefaultTransactionStatus status) {}
    }
}
