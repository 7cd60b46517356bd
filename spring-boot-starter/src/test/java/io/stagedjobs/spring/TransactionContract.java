package io.stagedjobs.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.NoTransactionException;
import io.stagedjobs.StagedJob;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.transaction.PlatformTransactionManager;
import org.springframework.transaction.TransactionDefinition;
import org.springframework.transaction.support.TransactionTemplate;

/**
 * What holds in Spring's transactions whatever manages them; what stands in each class below is special to its manager.
 */
abstract class TransactionContract {

    abstract RunningApplication application();

    /** A {@code @Transactional} method that stores a user and stages the job {@code created}. */
    abstract void create(String email);

    /** The same, failing with {@code after staging}. */
    abstract void createAndFail(String email);

    static StagedJob job(String name) {
        return StagedJob.builder("users", name).key("ann").build();
    }

    @BeforeEach
    void clearTables() {
        application().execute("DELETE FROM staged_jobs");
        application().execute("DELETE FROM users");
    }

    @Test
    void a_job_of_a_transactional_method_is_stored_with_its_rows() {
        create("ann");
        assertThat(application().users()).containsExactly("ann");
        assertThat(application().staged()).containsExactly("created");
    }

    @Test
    void a_job_of_a_transactional_method_that_fails_is_not() {
        assertThatThrownBy(() -> createAndFail("ann")).hasMessage("after staging");
        assertThat(application().users()).isEmpty();
        assertThat(application().staged()).isEmpty();
    }

    @Test
    void staging_outside_of_a_transaction_fails_at_once() {
        TransactionalStagedJobs stagedJobs = application().bean(TransactionalStagedJobs.class);
        assertThatThrownBy(() -> stagedJobs.stage(job("alone")))
                .isInstanceOf(NoTransactionException.class)
                .hasMessageContainingAll("outside of a Spring transaction", "Nothing was staged", "@Transactional");
        TransactionTemplate without = new TransactionTemplate(application().bean(PlatformTransactionManager.class));
        without.setPropagationBehavior(TransactionDefinition.PROPAGATION_SUPPORTS);
        assertThatThrownBy(() -> without.executeWithoutResult(status -> stagedJobs.stage(job("alone"))))
                .isInstanceOf(NoTransactionException.class);
        assertThat(application().staged()).isEmpty();
    }
}
