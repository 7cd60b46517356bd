package io.stagedjobs.spring;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.micrometer.core.instrument.MeterRegistry;
import io.stagedjobs.StagedJob;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.DocumentedCode;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.stereotype.Service;
import org.springframework.transaction.annotation.Transactional;

/**
 * A small application that publishes its jobs by itself. What the README shows of Spring is a part of this: the method
 * word for word, and the properties that it starts with.
 */
@ExtendWith(OutputCaptureExtension.class)
class EmbeddedEnqueuerTest {

    private static final Path README = Path.of("../README.md");
    private static final Path THIS = Path.of("src/test/java/io/stagedjobs/spring/EmbeddedEnqueuerTest.java");
    private static final Path OF_CORE = Path.of("../core/src/test/java/io/stagedjobs/ReadmeTest.java");
    private static final TestKafka KAFKA = TestKafka.shared();

    /** The README's; each test has users of its own. */
    private static final String TOPIC = "users";

    private static RunningApplication application;

    private final Users users = application.bean(Users.class);

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @Import(Users.class)
    static class Application {}

    @Service
    static class Users {
        private final JdbcClient jdbc;
        private final TransactionalStagedJobs stagedJobs;

        Users(JdbcClient jdbc, TransactionalStagedJobs stagedJobs) {
            this.jdbc = jdbc;
            this.stagedJobs = stagedJobs;
        }

        // readme:spring
        @Transactional
        public void create(String email) {
            jdbc.sql("INSERT INTO users (email) VALUES (?)").param(email).update();
            stagedJobs.stage(userCreated(email)); // a TransactionalStagedJobs, injected
        }
        // end

        @Transactional
        public void createAndFail(String email) {
            create(email);
            throw new IllegalStateException("after staging");
        }

        private static StagedJob userCreated(String email) {
            return StagedJob.builder(TOPIC, "user.created")
                    .key("users")
                    .payload(email)
                    .build();
        }
    }

    @BeforeAll
    static void start() throws Exception {
        if (!KAFKA.admin().listTopics().names().get().contains(TOPIC)) {
            KAFKA.createTopic(TOPIC, 1);
        }
        application = started(properties());
    }

    @AfterAll
    static void end() {
        application.close();
    }

    private static RunningApplication started(Properties properties) {
        List<String> all = new ArrayList<>(List.of(RunningApplication.WITHOUT_JPA));
        properties.forEach((key, value) -> all.add(key + "=" + value));
        return new RunningApplication(Application.class, all.toArray(String[]::new));
    }

    /** Those of the README, with this test's broker. */
    private static Properties properties() throws IOException {
        Properties properties = new Properties();
        properties.load(
                new StringReader(DocumentedCode.blocks(README, "properties").get(0)));
        assertThat(properties).containsKey("staged-jobs.enqueuer.kafka.bootstrap.servers");
        properties.setProperty("staged-jobs.enqueuer.kafka.bootstrap.servers", KAFKA.bootstrapServers());
        return properties;
    }

    private static List<String> published(String prefix) {
        return KAFKA.readAll(List.of(TOPIC)).stream()
                .map(record -> new String(record.value(), UTF_8))
                .filter(email -> email.startsWith(prefix))
                .toList();
    }

    private static void untilAllIsPublished(RunningApplication application) throws Exception {
        Eventually.until("all is published", () -> application.staged().isEmpty());
    }

    @Test
    void a_job_of_a_transactional_method_is_published_and_one_of_a_method_that_fails_is_not() throws Exception {
        users.create("a-first@example.com");
        assertThatThrownBy(() -> users.createAndFail("a-failed@example.com")).hasMessage("after staging");
        users.create("a-last@example.com");
        untilAllIsPublished(application);
        assertThat(published("a-")).containsExactly("a-first@example.com", "a-last@example.com");
        assertThat(application.users()).contains("a-first@example.com", "a-last@example.com");
        assertThat(application.users()).doesNotContain("a-failed@example.com");
    }

    @Test
    void its_health_is_up_and_its_meters_are_the_applications() throws Exception {
        users.create("b@example.com");
        untilAllIsPublished(application);
        Eventually.until("it is healthy", () -> health(application).getStatus() == Status.UP);
        MeterRegistry registry = application.bean(MeterRegistry.class);
        Eventually.until(
                "all lanes are its own",
                () -> registry.get("staged.jobs.lanes.owned").gauge().value() == 1);
        assertThat(registry.get("staged.jobs.published").counter().count()).isPositive();
        assertThat(registry.get(CommittedJobsMeter.NAME).counter().count()).isPositive();
    }

    private static Health health(RunningApplication application) {
        return application
                .context()
                .getBean("stagedJobsEnqueuerHealthIndicator", HealthIndicator.class)
                .health(true);
    }

    @Test
    void it_gives_its_lanes_back_when_the_application_is_closed() throws Exception {
        RunningApplication closing = started(properties());
        closing.bean(Users.class).create("c@example.com");
        untilAllIsPublished(closing);
        closing.close();
        assertThat(closing.column("SELECT lane::text FROM staged_job_lanes WHERE owner IS NOT NULL"))
                .isEmpty();
        assertThat(closing.column("SELECT name FROM staged_job_enqueuers")).isEmpty();
    }

    @Test
    void it_can_be_stopped_and_started_again() throws Exception {
        try (RunningApplication paused = started(properties())) {
            MeterRegistry registry = paused.bean(MeterRegistry.class);
            EmbeddedEnqueuer enqueuer = paused.bean(EmbeddedEnqueuer.class);
            paused.bean(Users.class).create("d-before@example.com");
            untilAllIsPublished(paused);

            enqueuer.stop();
            assertThat(enqueuer.isRunning()).isFalse();
            assertThat(health(paused).getStatus()).isEqualTo(Status.DOWN);
            assertThat(registry.find("staged.jobs.lanes.owned").gauge()).isNull();
            paused.bean(Users.class).create("d-meanwhile@example.com");
            assertThat(paused.staged()).containsExactly("user.created");

            enqueuer.start();
            untilAllIsPublished(paused);
            assertThat(published("d-")).containsExactly("d-before@example.com", "d-meanwhile@example.com");
            Eventually.until(
                    "its lanes are shown again",
                    () -> registry.get("staged.jobs.lanes.owned").gauge().value() == 1);
        }
    }

    @Test
    void an_application_starts_and_stages_while_kafka_is_away_and_its_health_says_so() throws Exception {
        Properties properties = properties();
        properties.setProperty("staged-jobs.enqueuer.kafka.bootstrap.servers", "localhost:1");
        properties.setProperty("staged-jobs.enqueuer.kafka.default.api.timeout.ms", "1000");
        properties.setProperty("staged-jobs.enqueuer.kafka.request.timeout.ms", "500");
        try (RunningApplication alone = started(properties)) {
            alone.bean(Users.class).create("e@example.com");
            assertThat(alone.staged()).containsExactly("user.created");
            Eventually.until("its start has failed", () -> health(alone)
                    .getDetails()
                    .getOrDefault("kafka", "")
                    .toString()
                    .contains("staged-jobs.enqueuer.kafka.bootstrap.servers"));
            assertThat(health(alone).getStatus()).isEqualTo(Status.DOWN);
        }
    }

    @Test
    void it_starts_as_soon_as_it_can_and_its_health_says_so() throws Exception {
        Properties properties = properties();
        properties.setProperty("staged-jobs.migrate", "false");
        try (RunningApplication early = started(properties)) {
            Eventually.until("its start has failed", () -> health(early)
                    .getDetails()
                    .getOrDefault("enqueuer", "")
                    .toString()
                    .contains("staged-jobs.schema"));
            try (Connection connection = early.database.connect()) {
                Schema.PUBLIC.migrate(connection);
            }
            early.bean(Users.class).create("f@example.com");
            untilAllIsPublished(early);
            assertThat(published("f")).containsExactly("f@example.com");
            Eventually.until("it is healthy", () -> health(early).getStatus() == Status.UP);
        }
    }

    /** An application that logs Kafka at info may do so for clients of its own. */
    @Test
    void its_libraries_print_neither_their_settings_nor_a_logo_unless_the_application_asks_for_that(
            CapturedOutput output) throws Exception {
        Properties properties = properties();
        properties.setProperty("logging.level.org.apache.kafka", "info");
        properties.setProperty("logging.level.org.jooq", "info");
        publishOne(properties);
        assertThat(output)
                .contains("Instantiated a transactional producer")
                .doesNotContain("Config values", "Kafka version", "Thank you for using");

        properties.setProperty("logging.level.org.apache.kafka.common.config.AbstractConfig", "info");
        publishOne(properties);
        assertThat(output).contains("ProducerConfig values").doesNotContain("Kafka version");
    }

    private static void publishOne(Properties properties) throws Exception {
        try (RunningApplication one = started(properties)) {
            one.bean(Users.class).create("g@example.com");
            untilAllIsPublished(one);
        }
    }

    /** The others are regions of core's test, which has no Spring. */
    @Test
    void the_readme_shows_the_method_word_for_word_and_no_java_that_is_not_tested() {
        List<String> tested = new ArrayList<>(DocumentedCode.regions(OF_CORE, "readme"));
        tested.addAll(DocumentedCode.regions(THIS, "readme"));
        assertThat(DocumentedCode.blocks(README, "java")).containsExactlyInAnyOrderElementsOf(tested);
    }
}
