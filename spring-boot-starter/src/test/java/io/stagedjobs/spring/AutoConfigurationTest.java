package io.stagedjobs.spring;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.StagedJobs;
import io.stagedjobs.WakeUp;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;
import org.postgresql.ds.PGSimpleDataSource;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.jdbc.autoconfigure.JdbcConnectionDetails;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.event.ContextRefreshedEvent;
import org.springframework.core.env.SystemEnvironmentPropertySource;
import org.springframework.jdbc.support.JdbcTransactionManager;
import org.springframework.transaction.ConfigurableTransactionManager;
import org.springframework.transaction.PlatformTransactionManager;

/** Which beans there are when; nothing here reaches a database or a broker. */
class AutoConfigurationTest {

    private static final String ENABLED = "staged-jobs.enqueuer.enabled=true";
    private static final String URL = "staged-jobs.enqueuer.database.url=jdbc:postgresql://localhost:1/shop";
    private static final String KAFKA = "staged-jobs.enqueuer.kafka.bootstrap.servers=localhost:1";

    private final ApplicationContextRunner withoutDataSource = new ApplicationContextRunner()
            .withConfiguration(
                    AutoConfigurations.of(StagedJobsAutoConfiguration.class, EmbeddedEnqueuerAutoConfiguration.class));

    private final ApplicationContextRunner withDataSource =
            withoutDataSource.withBean(DataSource.class, PGSimpleDataSource::new);

    @Test
    void a_data_source_is_enough_to_stage_and_nothing_is_migrated_or_published_unasked() {
        withDataSource.run(context -> assertThat(context)
                .hasNotFailed()
                .hasSingleBean(TransactionalStagedJobs.class)
                .hasSingleBean(StagedJobs.class)
                .hasSingleBean(WakeUp.class)
                .doesNotHaveBean(SchemaMigration.class)
                .doesNotHaveBean(EmbeddedEnqueuer.class)
                .doesNotHaveBean(HealthIndicator.class));
    }

    @Test
    void without_a_data_source_or_with_several_there_is_nothing() {
        withoutDataSource.run(context -> assertThat(context).doesNotHaveBean(TransactionalStagedJobs.class));
        withoutDataSource
                .withBean("one", DataSource.class, PGSimpleDataSource::new)
                .withBean("other", DataSource.class, PGSimpleDataSource::new)
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean(TransactionalStagedJobs.class));
    }

    @Test
    void with_several_data_sources_there_is_what_an_application_makes_the_rest_of() {
        PlatformTransactionManager own = new JdbcTransactionManager(new PGSimpleDataSource());
        withoutDataSource
                .withBean("one", DataSource.class, PGSimpleDataSource::new)
                .withBean("other", DataSource.class, PGSimpleDataSource::new)
                .withBean(PlatformTransactionManager.class, () -> own)
                .run(context -> {
                    assertThat(context).hasNotFailed().hasSingleBean(StagedJobs.class);
                    assertThat(((ConfigurableTransactionManager) own).getTransactionExecutionListeners())
                            .hasExactlyElementsOfTypes(CommitStarted.class);
                });
    }

    @Test
    void what_the_application_defines_itself_is_taken() {
        StagedJobs own = new StagedJobs();
        withDataSource
                .withBean(StagedJobs.class, () -> own)
                .run(context -> assertThat(context.getBean(StagedJobs.class)).isSameAs(own));
    }

    @Test
    void the_wake_up_can_be_turned_off() {
        withDataSource.withPropertyValues("staged-jobs.wake-up=false").run(context -> assertThat(context)
                .hasNotFailed()
                .hasSingleBean(TransactionalStagedJobs.class)
                .doesNotHaveBean(WakeUp.class));
    }

    @Test
    void neither_micrometer_nor_the_actuator_nor_the_enqueuer_is_needed_to_stage() {
        withDataSource
                .withClassLoader(new FilteredClassLoader(
                        "io.micrometer", "org.springframework.boot.health", "io.stagedjobs.enqueuer"))
                .run(context -> assertThat(context).hasNotFailed().hasSingleBean(TransactionalStagedJobs.class));
    }

    @Test
    void an_enqueuer_that_is_wanted_and_not_on_the_class_path_stops_the_start() {
        withDataSource
                .withPropertyValues(ENABLED)
                .withClassLoader(new FilteredClassLoader(EnqueuerAssembly.class))
                .run(context -> assertThat(context)
                        .getFailure()
                        .rootCause()
                        .hasMessageContainingAll("not on the class path", "io.stagedjobs:staged-jobs-enqueuer"));
    }

    @Test
    void an_enqueuer_needs_no_actuator_and_no_registry() {
        withoutDataSource
                .withPropertyValues(ENABLED, URL, KAFKA)
                .withClassLoader(new FilteredClassLoader("org.springframework.boot.health"))
                .run(context -> assertThat(context).hasNotFailed().hasSingleBean(EmbeddedEnqueuer.class));
    }

    @Test
    void the_health_of_an_enqueuer_is_there_unless_it_is_turned_off() {
        ApplicationContextRunner withEnqueuer = withoutDataSource.withPropertyValues(ENABLED, URL, KAFKA);
        withEnqueuer.run(context -> assertThat(context).hasNotFailed().hasSingleBean(HealthIndicator.class));
        withEnqueuer
                .withPropertyValues("management.health.staged-jobs-enqueuer.enabled=false")
                .run(context -> assertThat(context).hasNotFailed().doesNotHaveBean(HealthIndicator.class));
    }

    @Test
    void an_enqueuer_ends_with_an_application_whose_start_fails_after_its_own() {
        AtomicBoolean wasRunning = new AtomicBoolean();
        withoutDataSource
                .withPropertyValues(ENABLED, URL, KAFKA)
                .withInitializer(context -> context.addApplicationListener((ContextRefreshedEvent event) -> {
                    wasRunning.set(context.getBean(EmbeddedEnqueuer.class).isRunning());
                    throw new IllegalStateException("not today");
                }))
                .run(context -> assertThat(context).getFailure().hasMessage("not today"));
        assertThat(wasRunning).isTrue();
        assertThat(Thread.getAllStackTraces().keySet())
                .extracting(Thread::getName)
                .doesNotContain("staged-jobs-start");
    }

    @Test
    void settings_of_the_enqueuer_come_from_the_environment_too() {
        withoutDataSource
                .withInitializer(context -> context.getEnvironment()
                        .getPropertySources()
                        .addFirst(new SystemEnvironmentPropertySource(
                                "test-systemEnvironment",
                                Map.of(
                                        "STAGEDJOBS_SCHEMA", "jobs",
                                        "STAGEDJOBS_ENQUEUER_ENABLED", "true",
                                        "STAGEDJOBS_ENQUEUER_DATABASE_URL", "jdbc:postgresql://localhost:1/shop",
                                        "STAGEDJOBS_ENQUEUER_KAFKA_BOOTSTRAP_SERVERS", "localhost:1"))))
                .run(context -> {
                    assertThat(context).hasNotFailed().hasSingleBean(EmbeddedEnqueuer.class);
                    assertThat(context.getBean(StagedJobsProperties.class))
                            .satisfies(properties ->
                                    assertThat(properties.schema()).isEqualTo("jobs"))
                            .satisfies(properties -> assertThat(properties.enqueuer())
                                    .containsEntry("kafka.bootstrap.servers", "localhost:1"));
                });
    }

    @Test
    void wrong_unknown_and_missing_settings_of_the_enqueuer_stop_the_start_by_their_names_here() {
        withDataSource
                .withPropertyValues(ENABLED, URL, KAFKA, "staged-jobs.enqueuer.batch.sise=5")
                .run(context -> assertThat(context)
                        .getFailure()
                        .rootCause()
                        .hasMessage("unknown setting staged-jobs.enqueuer.batch.sise. The nearest known one is"
                                + " staged-jobs.enqueuer.batch.size."));
        withDataSource.withPropertyValues(ENABLED, KAFKA).run(context -> assertThat(context)
                .getFailure()
                .rootCause()
                .hasMessageContaining("Set staged-jobs.enqueuer.database.url."));
        withDataSource
                .withPropertyValues(ENABLED, URL, KAFKA, "staged-jobs.enqueuer.admin.port=1")
                .run(context -> assertThat(context).getFailure().rootCause().hasMessageContaining("actuator"));
        withDataSource
                .withPropertyValues(ENABLED, URL, KAFKA, "staged-jobs.enqueuer.kafka.linger.ms=soon")
                .run(context -> assertThat(context)
                        .getFailure()
                        .rootCause()
                        .hasMessageContaining("setting staged-jobs.enqueuer.kafka.linger.ms is wrong"));
    }

    @Test
    void secrets_do_not_show_when_the_settings_are_printed() {
        StagedJobsProperties given = properties(Map.of(
                "batch.size", "5",
                "database.password", "canary",
                "kafka.sasl.jaas.config", "password=canary"));
        assertThat(given.toString()).contains("batch.size", "database.password").doesNotContain("canary");
    }

    @Test
    void the_enqueuer_reaches_the_database_as_the_application_does_unless_told_otherwise() {
        JdbcConnectionDetails details = new JdbcConnectionDetails() {
            @Override
            public String getJdbcUrl() {
                return "jdbc:postgresql://db/shop";
            }

            @Override
            public String getUsername() {
                return "app";
            }

            @Override
            public String getPassword() {
                return "s3cret";
            }
        };
        Settings same = EnqueuerSettings.of(
                properties(Map.of("enabled", "true", "kafka.bootstrap.servers", "k:9092")), details);
        assertThat(same.get(Setting.DATABASE_URL)).isEqualTo("jdbc:postgresql://db/shop");
        assertThat(same.find(Setting.DATABASE_USERNAME)).contains("app");
        assertThat(same.find(Setting.DATABASE_PASSWORD)).contains("s3cret");
        assertThat(same.get(Setting.DATABASE_SCHEMA)).isEqualTo("jobs");
        assertThat(same.passedThrough()).isEqualTo(Map.of("bootstrap.servers", "k:9092"));

        Settings otherRole = EnqueuerSettings.of(
                properties(Map.of("kafka.bootstrap.servers", "k:9092", "database.username", "relay")), details);
        assertThat(otherRole.get(Setting.DATABASE_URL)).isEqualTo("jdbc:postgresql://db/shop");
        assertThat(otherRole.find(Setting.DATABASE_USERNAME)).contains("relay");
        assertThat(otherRole.find(Setting.DATABASE_PASSWORD)).isEmpty();
    }

    private static StagedJobsProperties properties(Map<String, String> enqueuer) {
        return new StagedJobsProperties("jobs", true, false, enqueuer);
    }

    @Test
    void what_the_enqueuer_says_is_told_in_the_names_of_properties() {
        assertThat(EnqueuerSettings.inSpringsWords("Set STAGED_JOBS_DELIVERY=at-least-once, not"
                        + " STAGED_JOBS_DATABASE_URL, STAGED_JOBS_DATABASE_SCHEMA or"
                        + " STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS."))
                .isEqualTo("Set staged-jobs.enqueuer.delivery=at-least-once, not staged-jobs.enqueuer.database.url,"
                        + " staged-jobs.schema or staged-jobs.enqueuer.kafka.bootstrap.servers.");
        assertThat(EnqueuerSettings.inSpringsWords("a setting STAGED_JOBS_KAFKA_… is wrong"))
                .isEqualTo("a setting staged-jobs.enqueuer.kafka.… is wrong");
    }
}
