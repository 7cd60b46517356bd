package io.stagedjobs.spring;

import static io.stagedjobs.spring.TransactionContract.job;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.zaxxer.hikari.HikariDataSource;
import io.stagedjobs.NoTransactionException;
import io.stagedjobs.StagedJobs;
import java.util.ArrayList;
import java.util.List;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Primary;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.support.JdbcTransactionManager;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.support.TransactionSynchronization;
import org.springframework.transaction.support.TransactionSynchronizationManager;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * An application with two data sources, whose transaction managers it therefore makes by itself. The connections of the
 * second one come without autocommit, as is advised for Hibernate: what is written on them outside of a transaction
 * gets lost.
 */
class SeveralDataSourcesTest {

    private static RunningApplication application;

    private final TransactionalStagedJobs first = application.bean("first", TransactionalStagedJobs.class);
    private final TransactionalStagedJobs second = application.bean("second", TransactionalStagedJobs.class);
    private final JdbcTemplate jdbcOfSecond = new JdbcTemplate(application.bean("secondDataSource", DataSource.class));

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Application {

        @Bean
        @Primary
        HikariDataSource firstDataSource(
                @Value("${spring.datasource.url}") String url,
                @Value("${spring.datasource.username}") String username,
                @Value("${spring.datasource.password}") String password) {
            HikariDataSource pool = new HikariDataSource();
            pool.setJdbcUrl(url);
            pool.setUsername(username);
            pool.setPassword(password);
            return pool;
        }

        @Bean
        HikariDataSource secondDataSource(
                @Value("${spring.datasource.url}") String url,
                @Value("${spring.datasource.username}") String username,
                @Value("${spring.datasource.password}") String password) {
            HikariDataSource pool = firstDataSource(url, username, password);
            pool.setAutoCommit(false);
            return pool;
        }

        @Bean
        @Primary
        PlatformTransactionManager firstTransactions(DataSource dataSource) {
            return new JdbcTransactionManager(dataSource);
        }

        @Bean
        PlatformTransactionManager secondTransactions(@Qualifier("secondDataSource") DataSource dataSource) {
            return new JdbcTransactionManager(dataSource);
        }

        @Bean
        TransactionalStagedJobs first(DataSource dataSource, StagedJobs stagedJobs) {
            return new TransactionalStagedJobs(dataSource, stagedJobs, jobs -> {});
        }

        @Bean
        TransactionalStagedJobs second(@Qualifier("secondDataSource") DataSource dataSource, StagedJobs stagedJobs) {
            return new TransactionalStagedJobs(dataSource, stagedJobs, jobs -> {});
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
    void clear() {
        application.execute("DELETE FROM staged_jobs");
    }

    private static void inTransactionOf(String manager, Runnable statements) {
        new TransactionTemplate(application.bean(manager, PlatformTransactionManager.class))
                .executeWithoutResult(status -> statements.run());
    }

    @Test
    void a_job_is_stored_by_the_transaction_of_its_own_data_source() {
        inTransactionOf("firstTransactions", () -> first.stage(job("1")));
        inTransactionOf("secondTransactions", () -> second.stage(job("2")));
        assertThat(application.staged()).containsExactly("1", "2");
    }

    @Test
    void a_transaction_of_the_other_data_source_is_refused_at_once() {
        assertThatThrownBy(() -> inTransactionOf("firstTransactions", () -> second.stage(job("elsewhere"))))
                .isInstanceOf(NoTransactionException.class)
                .hasMessageContaining("not one of the data source");
        assertThat(application.staged()).isEmpty();
    }

    /** Spring lends out one connection for as long as a transaction of whatever lasts, and puts it back uncommitted. */
    @Test
    void nor_does_it_help_that_something_was_read_there_before() {
        assertThatThrownBy(() -> inTransactionOf("firstTransactions", () -> {
                    jdbcOfSecond.queryForList("SELECT 1");
                    second.stage(job("committed by nobody"));
                    first.stage(job("with it"));
                }))
                .hasMessageContainingAll("not one of the data source", "Nothing was stored");
        assertThat(application.staged()).isEmpty();
    }

    @Test
    void a_transaction_inside_one_of_the_other_data_source_is_its_own() {
        inTransactionOf("firstTransactions", () -> {
            inTransactionOf("secondTransactions", () -> second.stage(job("inner")));
            first.stage(job("outer"));
        });
        assertThat(application.staged()).containsExactly("inner", "outer");
    }

    @Test
    void staging_after_the_commit_fails_at_once_with_managers_of_the_applications_own_too() {
        List<Throwable> refusals = new ArrayList<>();
        inTransactionOf(
                "firstTransactions",
                () -> TransactionSynchronizationManager.registerSynchronization(new TransactionSynchronization() {
                    @Override
                    public void afterCommit() {
                        try {
                            first.stage(job("too late"));
                        } catch (NoTransactionException e) {
                            refusals.add(e);
                        }
                    }
                }));
        assertThat(refusals).singleElement().satisfies(e -> assertThat(e)
                .hasMessageContaining("has been committed already"));
        assertThat(application.staged()).isEmpty();
    }
}
