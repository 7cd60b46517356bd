package io.stagedjobs.enqueuer.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.Eventually;
import io.stagedjobs.enqueuer.Outbox;
import io.stagedjobs.enqueuer.cli.Command;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.util.List;
import java.util.Map;
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
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A cluster that checks rights: what the enqueuer does without those that it needs. */
class RightsTest {

    private static final String EVERYBODY = "User:ANONYMOUS";

    private static TestKafka kafka;

    private Outbox outbox;
    private Map<String, String> environment;
    private String topic;

    @BeforeAll
    static void start() {
        kafka = TestKafka.startEmbedded(Map.of(
                "authorizer.class.name",
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "allow.everyone.if.no.acl.found",
                "true"));
    }

    @AfterAll
    static void stop() {
        kafka.close();
    }

    @BeforeEach
    void open() {
        outbox = new Outbox(TestPostgres.shared(), kafka, "rights");
        environment = Command.with(Command.environment(outbox), "STAGED_JOBS_DELIVERY", "exactly-once");
        topic = kafka.newTopic("rights", 1);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    /** Where a resource has rules, what they do not allow is denied. */
    private static void allowOnly(ResourceType type, String name, AclOperation... operations) throws Exception {
        ResourcePattern resource = new ResourcePattern(type, name, PatternType.LITERAL);
        kafka.admin()
                .deleteAcls(List.of(new AclBindingFilter(resource.toFilter(), AccessControlEntryFilter.ANY)))
                .all()
                .get(30, TimeUnit.SECONDS);
        kafka.admin()
                .createAcls(List.of(operations).stream()
                        .map(operation -> new AclBinding(
                                resource, new AccessControlEntry(EVERYBODY, "*", operation, AclPermissionType.ALLOW)))
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
        allowOnly(ResourceType.TOPIC, forbidden, AclOperation.DESCRIBE, AclOperation.READ);
        new Command.Daemon(outbox, "enqueuer", environment);
        stage(forbidden, "held.", 3);
        stage(topic, "flows.", 3);
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        assertThat(outbox.namesIn(topic)).containsExactly("flows.0", "flows.1", "flows.2");
        assertThat(outbox.aside()).hasSize(3).allMatch(job -> job.endsWith("held: topic forbidden"));

        allowOnly(ResourceType.TOPIC, forbidden, AclOperation.DESCRIBE, AclOperation.READ, AclOperation.WRITE);
        Eventually.until("they returned", () -> outbox.aside().isEmpty() && outbox.waiting() == 0);
        assertThat(outbox.namesIn(forbidden)).containsExactly("held.0", "held.1", "held.2");
    }

    @Test
    void a_right_that_is_taken_away_while_it_runs_holds_the_jobs_of_that_topic() throws Exception {
        new Command.Daemon(outbox, "enqueuer", environment);
        stage(topic, "before.", 2);
        Eventually.until("nothing waits", () -> outbox.waiting() == 0);
        allowOnly(ResourceType.TOPIC, topic, AclOperation.DESCRIBE, AclOperation.READ);
        stage(topic, "held.", 2);
        Eventually.until("they are held", () -> outbox.aside().size() == 2);
        allowOnly(ResourceType.TOPIC, topic, AclOperation.DESCRIBE, AclOperation.READ, AclOperation.WRITE);
        Eventually.until("they returned", () -> outbox.aside().isEmpty() && outbox.waiting() == 0);
        assertThat(outbox.namesIn(topic)).containsExactly("before.0", "before.1", "held.0", "held.1");
    }

    @Test
    void wrong_credentials_are_told_at_the_start_and_nothing_is_deleted() {
        stage(topic, "kept.", 2);
        Command.Answer answer = Command.run(
                Command.with(
                        environment,
                        "STAGED_JOBS_KAFKA_SECURITY_PROTOCOL",
                        "SASL_PLAINTEXT",
                        "STAGED_JOBS_KAFKA_SASL_MECHANISM",
                        "PLAIN",
                        "STAGED_JOBS_KAFKA_SASL_JAAS_CONFIG",
                        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"canary\";"),
                "drain");
        assertThat(answer.exitCode()).isEqualTo(1);
        assertThat(answer.err()).contains("could not reach Kafka", "Sasl").doesNotContain("canary");
        assertThat(outbox.waiting()).isEqualTo(2);
    }
}
