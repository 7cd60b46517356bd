package io.stagedjobs.spring;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import java.util.Map;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingClass;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration;
import org.springframework.boot.jdbc.autoconfigure.JdbcConnectionDetails;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/** An enqueuer inside the application, for small deployments without a separate process. */
@AutoConfiguration(
        after = {DataSourceAutoConfiguration.class, StagedJobsAutoConfiguration.class},
        afterName = "org.springframework.boot.micrometer.metrics.autoconfigure.CompositeMeterRegistryAutoConfiguration")
@ConditionalOnBooleanProperty(EnqueuerSettings.PREFIX + EnqueuerSettings.ENABLED)
@EnableConfigurationProperties(StagedJobsProperties.class)
public final class EmbeddedEnqueuerAutoConfiguration {

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass(EnqueuerAssembly.class)
    static class Embedded {

        /**
         * Its meters go to the application's registry, if there is one.
         *
         * @param migration created first, if there is one
         */
        @Bean
        EmbeddedEnqueuer stagedJobsEnqueuer(
                StagedJobsProperties properties,
                ObjectProvider<JdbcConnectionDetails> dataSource,
                ObjectProvider<MeterRegistry> registry,
                ObjectProvider<SchemaMigration> migration) {
            migration.ifAvailable(made -> {});
            return new EmbeddedEnqueuer(
                    EnqueuerSettings.of(properties, dataSource.getIfUnique()),
                    registry.getIfUnique(SimpleMeterRegistry::new));
        }
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnClass({EnqueuerAssembly.class, HealthIndicator.class, ConditionalOnEnabledHealthIndicator.class})
    static class HealthOfIt {

        /** Up exactly when a separate enqueuer would be ready. */
        @Bean
        @ConditionalOnEnabledHealthIndicator("staged-jobs-enqueuer")
        HealthIndicator stagedJobsEnqueuerHealthIndicator(EmbeddedEnqueuer enqueuer) {
            return () -> {
                Map<String, String> problems = enqueuer.problems();
                return problems.isEmpty()
                        ? Health.up().build()
                        : Health.down().withDetails(problems).build();
            };
        }
    }

    @Configuration(proxyBeanMethods = false)
    @ConditionalOnMissingClass("io.stagedjobs.enqueuer.assembly.EnqueuerAssembly")
    static class NotThere {

        NotThere() {
            throw new IllegalStateException(
                    "cannot run an enqueuer inside this application: staged-jobs-enqueuer is not"
                            + " on the class path. Nothing was started. Add the dependency"
                            + " io.stagedjobs:staged-jobs-enqueuer, or"
                            + " set staged-jobs.enqueuer.enabled=false and run it as a process of its own.");
        }
    }
}
