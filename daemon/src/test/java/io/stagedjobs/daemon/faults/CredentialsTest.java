package io.stagedjobs.daemon.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.daemon.cli.Command;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.testkit.Eventually;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A broker that asks who comes, and one that shows who it is: what the enqueuer does when either is not believed. */
class CredentialsTest {

    private static final String USER = "enqueuer";
    private static final String PASSWORD = "canary-of-the-password";
    private static final int LANES = 8;
    private static final int KEYS = Ledger.KEYS_IN_EVERY_LANE;

    @TempDir
    static Path directory;

    private static Certificates certificates;
    private static Path valid;
    private static TestKafka kafka;

    private TestOutbox outbox;
    private String topic;
    private int stagings;
    private final List<String> staged = new ArrayList<>();

    @BeforeAll
    static void start() throws Exception {
        certificates = new Certificates(directory);
        valid = certificates.issue("valid", "-1d", 30, "ip:127.0.0.1");
        kafka = TestKafka.startEmbeddedSecured(
                Set.of(SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SSL),
                Map.of(
                        "sasl.enabled.mechanisms",
                        "SCRAM-SHA-256",
                        "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config",
                        "org.apache.kafka.common.security.scram.ScramLoginModule required;",
                        "connections.max.reauth.ms",
                        "2000",
                        "ssl.keystore.type",
                        "PEM",
                        "ssl.keystore.location",
                        valid.toString(),
                        "listener.name.ssl.ssl.allow.san.changes",
                        "true",
                        "connections.max.idle.ms", // a connection that is there asks for no certificate
                        "2000",
                        "num.network.threads", // each would learn of a new certificate at a time of its own
                        "1"));
    }

    @AfterAll
    static void stop() {
        kafka.close();
    }

    @BeforeEach
    void open() throws Exception {
        setPassword(PASSWORD);
        outbox = new TestOutbox(TestPostgres.shared(), kafka, "credentials");
        topic = kafka.newTopic("credentials", 1);
    }

    @AfterEach
    void close() throws Exception {
        show(valid);
        outbox.close();
    }

    private Map<String, String> environment(SecurityProtocol protocol, String... pairs) {
        Map<String, String> environment = Command.with(
                Command.environment(outbox),
                "STAGED_JOBS_KAFKA_BOOTSTRAP_SERVERS",
                kafka.bootstrapServers(protocol),
                "STAGED_JOBS_KAFKA_SECURITY_PROTOCOL",
                protocol.name,
                "STAGED_JOBS_DELIVERY",
                "exactly-once");
        return Command.with(environment, pairs);
    }

    private Map<String, String> withPassword(String delivery) {
        return environment(
                SecurityProtocol.SASL_PLAINTEXT,
                "STAGED_JOBS_DELIVERY",
                delivery,
                "STAGED_JOBS_KAFKA_SASL_MECHANISM",
                "SCRAM-SHA-256",
                "STAGED_JOBS_KAFKA_SASL_JAAS_CONFIG",
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"" + USER + "\" password=\""
                        + PASSWORD + "\";");
    }

    private Map<String, String> overTls() {
        return environment(
                SecurityProtocol.SSL,
                "STAGED_JOBS_KAFKA_SSL_TRUSTSTORE_TYPE",
                "PEM",
                "STAGED_JOBS_KAFKA_SSL_TRUSTSTORE_LOCATION",
                certificates.authority().toString());
    }

    private static void setPassword(String password) throws Exception {
        kafka.admin()
                .alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(
                        USER, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), password)))
                .all()
                .get(30, TimeUnit.SECONDS);
    }

    /** Has the broker show another certificate to whoever connects from now on. */
    private static void show(Path certificate) throws Exception {
        kafka.admin()
                .incrementalAlterConfigs(Map.of(
                        new ConfigResource(ConfigResource.Type.BROKER, "1"),
                        List.of(new AlterConfigOp(
                                new ConfigEntry("listener.name.ssl.ssl.keystore.location", certificate.toString()),
                                AlterConfigOp.OpType.SET))))
                .all()
                .get(30, TimeUnit.SECONDS);
        Eventually.until("the broker shows " + certificate, () -> shown().getSerialNumber()
                .equals(Certificates.read(certificate).getSerialNumber()));
    }

    private static X509Certificate shown() throws Exception {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {new TrustsEverybody()}, null);
        String[] address = kafka.bootstrapServers(SecurityProtocol.SSL).split(":");
        try (SSLSocket socket =
                (SSLSocket) context.getSocketFactory().createSocket(address[0], Integer.parseInt(address[1]))) {
            return (X509Certificate) socket.getSession().getPeerCertificates()[0];
        }
    }

    private static final class TrustsEverybody implements X509TrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String authType) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String authType) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }

    /** Stages jobs whose keys are in every lane. */
    private void stage() {
        outbox.dsl()
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload)"
                                + " SELECT ?, 'k' || n, ? || '.' || n, '{}' FROM generate_series(1, ?) AS n",
                        topic,
                        stagings,
                        KEYS);
        for (int n = 1; n <= KEYS; n++) {
            staged.add(stagings + "." + n);
        }
        stagings++;
    }

    private void assertEachOnce() {
        assertThat(outbox.namesIn(topic)).containsExactlyInAnyOrderElementsOf(staged);
        assertThat(outbox.aside()).isEmpty();
    }

    private void awaitDrained() throws Exception {
        Command.awaitDrained(outbox);
    }

    private static double failures(Command.Daemon daemon) throws Exception {
        return daemon.metric("staged_jobs_failures_total{cause=\"kafka\"}").orElse(0);
    }

    /** Stages jobs until one of them needs a connection that is not there any more; more wait then in every lane. */
    private void awaitRefused(Command.Daemon daemon, String words) throws Exception {
        Eventually.until("it is not ready", () -> {
            stage();
            return !daemon.isReady();
        });
        stage();
        Scene.awaitProblem(daemon, words);
        Eventually.until("lanes have tried again", () -> failures(daemon) >= 2 * LANES);
        HttpResponse<String> health = daemon.get("health/ready");
        assertThat(health.statusCode()).isEqualTo(503);
        assertThat(health.body()).contains("kafka").doesNotContain("canary");
        assertThat(daemon.get("health/live").statusCode()).isEqualTo(200);
        assertThat(outbox.waiting()).isPositive();
        assertThat(daemon.process.output().stream().filter(line -> line.contains("uthentication")))
                .as("lines about it: not one a try")
                .hasSizeBetween(1, 3 * LANES);
    }

    @Test
    void a_password_that_kafka_refuses_while_it_runs_is_told_and_it_goes_on_once_it_is_right() throws Exception {
        refusedWhileItRuns("exactly-once");
    }

    @Test
    @Tag("long")
    void at_least_once_goes_on_as_well_once_a_refused_password_is_right() throws Exception {
        refusedWhileItRuns("at-least-once");
    }

    private void refusedWhileItRuns(String delivery) throws Exception {
        Command.Daemon daemon = new Command.Daemon(outbox, "enqueuer", withPassword(delivery));
        stage();
        awaitDrained();
        Scene.awaitReady(daemon);
        setPassword("another one");
        awaitRefused(daemon, "SaslAuthenticationException");
        setPassword(PASSWORD);
        awaitDrained();
        Scene.awaitReady(daemon);
        assertEachOnce();
        assertThat(daemon.process.output()).noneMatch(line -> line.contains("canary"));
    }

    @Test
    void over_tls_it_publishes_to_a_broker_whose_certificate_is_valid_for_its_address() {
        stage();
        Command.Answer answer = Command.run(overTls(), "drain");
        assertThat(answer.err()).isEmpty();
        assertThat(answer.exitCode()).isZero();
        assertEachOnce();
    }

    @Test
    void a_broker_that_cannot_prove_who_it_is_is_told_at_the_start_and_nothing_is_deleted() throws Exception {
        stage();
        assertRefused("unable to find valid certification path", environment(SecurityProtocol.SSL));
        show(certificates.issue("expired", "-10d", 5, "ip:127.0.0.1"));
        assertRefused("CertificateExpiredException: NotAfter", overTls());
        show(certificates.issue("elsewhere", "-1d", 30, "dns:elsewhere.example"));
        assertRefused("No subject alternative names matching IP address 127.0.0.1 found", overTls());
        assertThat(outbox.waiting()).isEqualTo(KEYS);
        assertThat(outbox.namesIn(topic)).isEmpty();
    }

    private static void assertRefused(String words, Map<String, String> environment) {
        Command.assertStartRefused(environment, "could not reach Kafka", words);
    }

    @Test
    @Tag("long")
    void a_certificate_that_expires_while_it_runs_is_told_and_it_goes_on_with_a_valid_one() throws Exception {
        Command.Daemon daemon = new Command.Daemon(outbox, "enqueuer", overTls());
        stage();
        awaitDrained();
        Scene.awaitReady(daemon);
        show(certificates.issue("expired", "-10d", 5, "ip:127.0.0.1"));
        kafka.stop(); // a connection that is there is not asked for its certificate again
        kafka.startAgain();
        awaitRefused(daemon, "CertificateExpiredException");
        show(valid);
        awaitDrained();
        Scene.awaitReady(daemon);
        assertEachOnce();
    }
}
