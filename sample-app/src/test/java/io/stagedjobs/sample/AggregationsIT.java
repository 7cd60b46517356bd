package io.stagedjobs.sample;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.UnitOfWork;
import io.stagedjobs.sample.Faults.Fault;
import io.stagedjobs.sample.upstream.ContractService;
import io.stagedjobs.sample.upstream.ContractService.Trouble;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.net.URI;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.sql.DataSource;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The background aggregator, over the real enqueuer and Kafka where jobs have to travel. */
class AggregationsIT {

    private static final String KAFKA = TestKafka.shared().bootstrapServers();
    private static final Duration SOON = Duration.ofSeconds(60);

    private final Topics topics = new Topics("aggregations-" + UUID.randomUUID() + "-");
    private final String group = "group-" + UUID.randomUUID();
    private SampleTables tables;
    private Faults faults;
    private ContractService upstream;
    private Contracts contracts;
    private Aggregations aggregations;

    @BeforeEach
    void start() {
        tables = SampleTables.createIn(TestPostgres.shared());
        faults = new Faults(tables.dsl);
        upstream = new ContractService(0, call -> {});
        DataSource database = tables.database.dataSource();
        UnitOfWork unit = Units.on(database);
        ContractSource source = new ContractSource(URI.create(upstream.url()), SOON);
        Services services = Services.on(database, unit, source, topics);
        contracts = services.contracts();
        aggregations = services.aggregations();
    }

    @AfterEach
    void stop() {
        upstream.close();
    }

    @Test
    void of_a_list_the_good_ones_are_stored_and_the_failed_one_is_staged_retried_later_and_stored_too()
            throws Exception {
        topics.all().forEach(topic -> TestKafka.shared().createTopic(topic, 3));
        upstream.trouble("/contracts/C-1/items", Trouble.FAILING);
        aggregations.request(ids("C-1", "C-2", "C-3"));
        Launcher.drain(tables, KAFKA);

        handle(3, topics.aggregations());
        assertThat(contracts.find("C-1")).isEmpty();
        assertThat(contracts.find("C-2")).isPresent();
        assertThat(contracts.find("C-3")).isEmpty();
        assertThat(tables.jobsOfKey("C-1")).containsExactly("contract.aggregation-failed");
        assertThat(tables.jobsOfKey("C-2")).containsExactly("contract.aggregated");
        assertThat(tables.jobsOfKey("C-3")).containsExactly("contract.aggregation-failed");

        Launcher.drain(tables, KAFKA);
        upstream.trouble("/contracts/C-1/items", Trouble.NONE);
        handle(2, topics.retries());
        assertThat(contracts.find("C-1")).isPresent();
        assertThat(tables.jobsOfKey("C-1")).containsExactly("contract.aggregated");
        assertThat(payloadOf("C-3")).contains("\"triesFailed\":2", "there is no header");
    }

    @Test
    void after_five_tries_a_contract_is_given_up_and_that_is_told() {
        String payload = "{\"contractId\":\"C-3\",\"triesFailed\":%d,\"reason\":null}";

        aggregations.run(job("C-3", payload.formatted(3)));
        aggregations.run(job("C-3", payload.formatted(4)));

        assertThat(tables.jobsOfKey("C-3"))
                .containsExactly("contract.aggregation-failed", "contract.aggregation-given-up");
        assertThat(tables.dsl.fetch("SELECT topic FROM staged_jobs ORDER BY id").getValues(0, String.class))
                .containsExactly(topics.retries(), topics.contracts());
    }

    @Test
    void a_job_that_is_run_again_changes_nothing() {
        PublishedJob job = job("C-1", "{\"contractId\":\"C-1\",\"triesFailed\":0,\"reason\":null}");
        aggregations.run(job);
        Map<String, String> before = tables.contents();

        aggregations.run(job);

        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void a_contract_that_cannot_be_stored_is_staged_for_later() {
        faults.at("INSERT ON contracts", Fault.ERROR, 1);

        aggregations.run(job("C-1", "{\"contractId\":\"C-1\",\"triesFailed\":0,\"reason\":null}"));

        assertThat(tables.jobsOfKey("C-1")).containsExactly("contract.aggregation-failed");
    }

    @Test
    void a_failure_that_cannot_be_staged_either_is_thrown_so_that_the_job_is_read_again() {
        Map<String, String> before = tables.contents();
        faults.at("INSERT ON staged_jobs", Fault.LOST_CONNECTION, Integer.MAX_VALUE);

        assertThatThrownBy(() ->
                        aggregations.run(job("C-1", "{\"contractId\":\"C-1\",\"triesFailed\":0,\"reason\":null}")))
                .isInstanceOf(RuntimeException.class);

        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void a_list_is_accepted_as_a_whole_or_not_at_all() {
        faults.at("INSERT ON staged_jobs", Fault.ERROR, Integer.MAX_VALUE);
        Map<String, String> before = tables.contents();

        assertThatThrownBy(() -> aggregations.request(ids("C-1", "C-2"))).isInstanceOf(RuntimeException.class);

        assertThat(tables.contents()).isEqualTo(before);
    }

    @Test
    void a_job_that_is_no_aggregation_is_left_out() {
        Map<String, String> before = tables.contents();

        for (String payload :
                List.of("no JSON", "{}", "null", "{\"contractId\":\"../x\",\"triesFailed\":0,\"reason\":null}")) {
            aggregations.run(job("C-1", payload));
        }

        assertThat(tables.contents()).isEqualTo(before);
    }

    /** Reads the topic until so many jobs were handled. */
    private void handle(int count, String topic) throws InterruptedException {
        CountDownLatch left = new CountDownLatch(count);
        Consumer<PublishedJob> handler = job -> {
            aggregations.run(job);
            left.countDown();
        };
        try (JobReader reader = new JobReader(KAFKA, group, Set.of(topic), Duration.ofMillis(100), handler)) {
            reader.start();
            assertThat(left.await(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
        }
    }

    private PublishedJob job(String key, String payload) {
        return new PublishedJob(new ConsumerRecord<>(topics.retries(), 0, 0, key, payload.getBytes(UTF_8)));
    }

    private String payloadOf(String key) {
        return tables.dsl
                .fetchSingle("SELECT convert_from(payload, 'UTF8') FROM staged_jobs WHERE job_key = ?", key)
                .into(String.class);
    }

    private static Set<String> ids(String... ids) {
        return new LinkedHashSet<>(List.of(ids));
    }
}
