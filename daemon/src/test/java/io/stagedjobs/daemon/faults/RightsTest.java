package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A cluster that checks rights, and an enqueuer that has exactly those that the contract tells: what it does with them,
 * and without those that it needs.
 */
class RightsTest {

    private static final String USER = "enqueuer";
    private static final String PASSWORD = "canary-of-the-password";
    private static final ResourcePattern PROGRESS =
            new ResourcePattern(ResourceType.TOPIC, "staged-jobs-progress-", PatternType.PREFIXED);
    private static final ResourcePattern TRANSACTIONS =
            new ResourcePattern(ResourceType.TRANSACTIONAL_ID, "staged-jobs-", PatternType.PREFIXED);

    private static TestKafka kafka;

    private TestOutbox outbox;
    private Map<String, String> environment;
    private String topic;

    @BeforeAll
    static void start() {
        kafka = TestKafka.startEmbeddedSecured(
                Set.of(SecurityProtocol.SASL_PLAINTEXT),
                Map.of(
                        "sasl.enabled.mechanisms",
                        "PLAIN",
                        "listener.name.sasl_plaintext.plain.sasl.jaas.config",
                        "org.apache.kafka.common.security.plain.PlainLoginModule required user_" + USER + "=\""
                                + PASSWORD + "\";",
                        "authorizer.class.name",
                        "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                        "super.users", // the broker itself, and this test
                        "User:ANONYMOUS"));
    }

    @AfterAll
    static void stop() {
        kafka.close();
    }

    @BeforeEach
    void open() throws Exception {
        outbox = new TestOutbox(TestPostgres.shared(), kafka, "rights");
        environment = environment("exactly-once", PASSWORD);
        topic = kafka.newTopic("rights", 1);
        allowOnly(topic(topic), AclOperation.DESCRIBE, AclOperation.WRITE);
        allowOnly(
                PROGRESS,
                AclOperation.CREATE,
                AclOperation.READ,
                AclOperation.WRITE,
                AclOperation.DESCRIBE,
                AclOperation.DESCRIBE_CONFIGS);
        allowOnly(TRANSACTIONS, AclOperation.WRITE, AclOperation.DESCRIBE);
    }

    private Map<String, String> environment(String delivery, String password) {
        return Command.with(
                Command.environment(outbox),
                "STAGED_JOBS_DELIVERY",
                delivery,
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS",
                kafka.bootstrapServers(SecurityProtocol.SASL_PLAINTEXT),
                "STAGED_JOBS_KAFKA_SECURITY_PROTOCOL",
                SecurityProtocol.SASL_PLAINTEXT.name,
                "STAGED_JOBS_KAFKA_SASL_MECHANISM",
                "PLAIN",
                "STAGED_JOBS_KAFKA_SASL_JAAS_CONFIG",
                "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"" + USER + "\" password=\""
                        + password + "\";");
    }

    private static ResourcePattern topic(String name) {
        return new ResourcePattern(ResourceType.TOPIC, name, PatternType.LITERAL);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    private static void allowOnly(ResourcePattern resource, AclOperation... operations) throws Exception {
        kafka.admin()
                .deleteAcls(List.of(new AclBindingFilter(resource.toFilter(), AccessControlEntryFilter.ANY)))
                .all()
                .get(30, TimeUnit.SECONDS);
        kafka.admin()
                .createAcls(List.of(operations).stream()
                        .map(operation -> new AclBinding(
                                resource,
                                new AccessControlEntry("User:" + USER, "*", operation, AclPermissionType.ALLOW)))
                        .toList())
                .all()
                .get(30, TimeUnit.SECONDS);
    }

    private void stage(String topic, String prefix, int jobs) {
        for (int i = 0; i < jobs; i++) {
            outbox.stage(topic, "k", prefix + i);
        }
    }

    @Test
    void the_jobs_of_a_topic_that_may_not_be_written_are_held_until_it_may_and_the_others_flow() throws Exception {
        String forbidden = kafka.newTopic("forbidden", 1);
        allowOnly(topic(forbidden), AclOperation.DESCRIBE);
        new Command.Daemon(outbox, "enqueuer", environment);
        stage(forbidden, "held.", 3);
        stage(topic, "flows.", 3);
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        assertThat(outbox.namesIn(topic)).containsExactly("flows.0", "flows.1", "flows.2");
        assertThat(outbox.aside()).hasSize(3).allMatch(job -> job.endsWith("held: topic forbidden"));

        allowOnly(topic(forbidden), AclOperation.DESCRIBE, AclOperation.WRITE);
        Eventually.until("they returned", () -> outbox.aside().isEmpty() && outbox.waiting() == 0);
        assertThat(outbox.namesIn(forbidden)).containsExactly("held.0", "held.1", "held.2");
    }

    @Test
    void a_right_that_is_taken_away_while_it_runs_holds_the_jobs_of_that_topic() throws Exception {
        new Command.Daemon(outbox, "enqueuer", environment);
        stage(topic, "before.", 2);
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        allowOnly(topic(topic), AclOperation.DESCRIBE);
        stage(topic, "held.", 2);
        Eventually.until("they are held", () -> outbox.aside().size() == 2);
        allowOnly(topic(topic), AclOperation.DESCRIBE, AclOperation.WRITE);
        Eventually.until("they returned", () -> outbox.aside().isEmpty() && outbox.waiting() == 0);
        assertThat(outbox.namesIn(topic)).containsExactly("before.0", "before.1", "held.0", "held.1");
    }

    @Test
    void the_doctor_prints_the_command_that_grants_the_missing_right() throws Exception {
        allowOnly(topic(topic), AclOperation.DESCRIBE);
        stage(topic, "waits.", 1);
        assertThat(Command.run(environment, "doctor").out())
                .contains("this client may not write to topic " + topic)
                .contains("--add --allow-principal User:<enqueuer> --operation Describe --operation Write --topic "
                        + topic);
    }

    @Test
    void wrong_credentials_are_told_at_the_start_and_nothing_is_deleted() {
        stage(topic, "kept.", 2);
        Command.Answer answer = Command.run(environment("exactly-once", "another canary"), "drain");
        assertThat(answer.exitCode()).isEqualTo(1);
        assertThat(answer.err()).contains("could not reach Kafka", "Sasl").doesNotContain("canary");
        assertThat(outbox.waiting()).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"exactly-once", "at-least-once"})
    void the_rights_that_the_contract_tells_are_enough(String delivery) {
        stage(topic, "flows.", 3);
        Command.Answer answer = Command.run(environment(delivery, PASSWORD), "drain");
        assertThat(answer.err()).isEmpty();
        assertThat(answer.exitCode()).isZero();
        assertThat(outbox.namesIn(topic)).containsExactly("flows.0", "flows.1", "flows.2");
    }

    @Test
    void without_a_right_that_exactly_once_needs_it_does_not_start_and_says_which_one_to_grant() throws Exception {
        stage(topic, "kept.", 2);
        allowOnly(TRANSACTIONS);
        Command.assertStartRefused(
                environment, "may not use transactional id staged-jobs-", "grant WRITE and DESCRIBE");
        allowOnly(TRANSACTIONS, AclOperation.WRITE, AclOperation.DESCRIBE);
        allowOnly(
                PROGRESS, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.READ, AclOperation.WRITE);
        Command.assertStartRefused(
                environment, "could not create topic staged-jobs-progress-", "Create it by hand with 8 partitions");
        allowOnly(
                PROGRESS, AclOperation.CREATE, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.READ);
        Command.assertStartRefused(environment, "may not use topic staged-jobs-progress-", "grant READ and WRITE");
        assertThat(outbox.waiting()).isEqualTo(2);
        assertThat(outbox.namesIn(topic)).isEmpty();
    }
}
