package io.stagedjobs.spring;

import io.micrometer.core.instrument.MeterRegistry;
import io.stagedjobs.StagedJobs;
import io.stagedjobs.WakeUp;
import java.sql.SQLException;
import java.util.List;
import javax.sql.DataSource;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/**
 * The beans that stage jobs. A {@link TransactionalStagedJobs} needs a single or a primary data source; with several,
 * an application defines one for each database that it stages in.
 */
@AutoConfiguration(
        after = DataSourceAutoConfiguration.class,
        afterName = "org.springframework.boot.micrometer.metrics.autoconfigure.CompositeMeterRegistryAutoConfiguration")
@EnableConfigurationProperties(StagedJobsProperties.class)
public final class StagedJobsAutoConfiguration {

    @Bean
    @ConditionalOnMissingBean
    StagedJobs stagedJobs(StagedJobsProperties properties) {
        return new StagedJobs(properties.inSchema());
    }

    @Bean
    static CommitStarted stagedJobsCommitMark() {
        return new CommitStarted();
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnSingleCandidate(DataSource.class)
    static class OneDataSource {

        /** @param migration created first, if there is one: the application may stage as soon as this bean exists */
        @Bean
        @ConditionalOnMissingBean
        TransactionalStagedJobs transactionalStagedJobs(
                DataSource dataSource,
                StagedJobs stagedJobs,
                ObjectProvider<CommitListener> listeners,
                ObjectProvider<SchemaMigration> migration) {
            migration.ifAvailable(made -> {});
            List<CommitListener> afterCommit = listeners.orderedStream().toList();
            return new TransactionalStagedJobs(
                    dataSource, stagedJobs, jobs -> afterCommit.forEach(listener -> listener.committed(jobs)));
        }

        @Bean
        @ConditionalOnBooleanProperty(StagedJobsProperties.PREFIX + ".migrate")
        SchemaMigration stagedJobsMigration(DataSource dataSource, StagedJobsProperties properties)
                throws SQLException {
            return new SchemaMigration(dataSource, properties.inSchema());
        }

        @Configuration(proxyBeanMethods = false)
        @ConditionalOnBooleanProperty(name = StagedJobsProperties.PREFIX + ".wake-up", matchIfMissing = true)
        static class WakingUp {

            @Bean
            @ConditionalOnMissingBean
            WakeUp stagedJobsWakeUp(DataSource dataSource, StagedJobsProperties properties) {
                return WakeUp.on(dataSource, properties.inSchema());
            }

            @Bean
            CommitListener stagedJobsWaking(WakeUp wakeUp) {
                return jobs -> wakeUp.committed();
            }
        }

        @Configuration(proxyBeanMethods = false)
        @ConditionalOnClass(MeterRegistry.class)
        @ConditionalOnSingleCandidate(MeterRegistry.class)
        static class Metrics {

            @Bean
            CommitListener stagedJobsCommittedMeter(MeterRegistry registry) {
                return new CommittedJobsMeter(registry);
            }
        }
    }
}
