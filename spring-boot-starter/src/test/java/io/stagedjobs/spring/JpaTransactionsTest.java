package io.stagedjobs.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import jakarta.persistence.Entity;
import jakarta.persistence.EntityManager;
import jakarta.persistence.Id;
import jakarta.persistence.Table;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import org.hibernate.Session;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.persistence.autoconfigure.EntityScan;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.stereotype.Service;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.annotation.Transactional;
import org.springframework.transaction.support.TransactionTemplate;

/** An application that stores its rows by Hibernate, whose connection the jobs share. */
class JpaTransactionsTest extends TransactionContract {

    private static RunningApplication application;

    private final TransactionalStagedJobs stagedJobs = application.bean(TransactionalStagedJobs.class);
    private final Users users = application.bean(Users.class);
    private final PlatformTransactionManager transactions = application.bean(PlatformTransactionManager.class);

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @EntityScan(basePackageClasses = User.class)
    @Import(Users.class)
    static class Application {}

    @Entity
    @Table(name = "users")
    static class User {
        @Id
        private String email;

        protected User() {}

        User(String email) {
            this.email = email;
        }
    }

    @Service
    static class Users {
        private final EntityManager entities;
        private final TransactionalStagedJobs stagedJobs;

        Users(EntityManager entities, TransactionalStagedJobs stagedJobs) {
            this.entities = entities;
            this.stagedJobs = stagedJobs;
        }

        @Transactional
        public void create(String email) {
            entities.persist(new User(email));
            stagedJobs.stage(job("created"));
        }

        @Transactional
        public void createAndFail(String email) {
            create(email);
            throw new IllegalStateException("after staging");
        }
    }

    @BeforeAll
    static void start() {
        application = new RunningApplication(Application.class, "spring.jpa.open-in-view=false");
    }

    @AfterAll
    static void end() {
        application.close();
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

    @Test
    void the_transactions_are_hibernates() {
        assertThat(transactions).isInstanceOf(JpaTransactionManager.class);
    }

    /** Hibernate writes entities just before the commit, after the job. */
    @Test
    void a_job_goes_when_hibernate_cannot_write_at_the_end() {
        users.create("ann");
        assertThatThrownBy(() -> users.create("ann")).isInstanceOf(RuntimeException.class);
        assertThat(application.staged()).containsExactly("created");
    }

    /** Spring has no nested transactions of Hibernate; this is how one sets a savepoint there. */
    @Test
    void a_job_of_a_savepoint_on_hibernates_connection_is_taken_back_with_it() {
        new TransactionTemplate(transactions).executeWithoutResult(outer -> {
            users.create("ann");
            application.bean(EntityManager.class).unwrap(Session.class).doWork(connection -> {
                Savepoint savepoint = connection.setSavepoint();
                stagedJobs.stage(job("rolled back"));
                connection.rollback(savepoint);
            });
        });
        assertThat(application.users()).containsExactly("ann");
        assertThat(application.staged()).containsExactly("created");
    }

    @Test
    void an_sql_error_that_is_swallowed_after_staging_is_no_success() {
        assertThatThrownBy(() -> new TransactionTemplate(transactions).executeWithoutResult(outer -> {
                    users.create("ann");
                    application.bean(EntityManager.class).unwrap(Session.class).doWork(connection -> {
                        try (Statement statement = connection.createStatement()) {
                            assertThatThrownBy(() -> statement.execute("SELECT 1 / 0"))
                                    .isInstanceOf(SQLException.class);
                        }
                    });
                }))
                .hasMessageContaining("cannot commit");
        assertThat(application.staged()).isEmpty();
    }
}
