package io.stagedjobs.faultkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.stagedjobs.faultkit.FaultProxy.Ending;
import io.stagedjobs.faultkit.FaultProxy.Loss;
import io.stagedjobs.faultkit.FaultProxy.Then;
import io.stagedjobs.testkit.TestKafka;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class KafkaFaultProxyTest {

    private static final Duration SOON = Duration.ofSeconds(20);

    private static TestKafka kafka;
    private static KafkaFaultProxy proxy;

    private String topic;

    @BeforeAll
    static void start() {
        proxy = KafkaFaultProxy.beforeNewBroker(Map.of());
        kafka = proxy.kafka();
    }

    @AfterAll
    static void stop() {
        proxy.close();
    }

    @BeforeEach
    void newTopic() {
        topic = kafka.newTopic("proxied", 1);
    }

    @AfterEach
    void heal() {
        proxy.heal();
    }

    /** A client whose patience with a silent broker is short. */
    private KafkaProducer<byte[], byte[]> producer(Map<String, Object> more) {
        Map<String, Object> settings = new HashMap<>(more);
        settings.put("bootstrap.servers", proxy.address());
        settings.put("request.timeout.ms", 1000);
        settings.put("linger.ms", 0);
        settings.putIfAbsent("delivery.timeout.ms", 2000);
        settings.put("max.block.ms", 2000);
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private KafkaProducer<byte[], byte[]> transactionalProducer() {
        KafkaProducer<byte[], byte[]> producer = producer(Map.of("transactional.id", topic));
        producer.initTransactions();
        return producer;
    }

    private Future<RecordMetadata> send(KafkaProducer<byte[], byte[]> producer, String value) {
        return producer.send(new ProducerRecord<>(topic, value.getBytes(UTF_8)));
    }

    private List<String> read() {
        return kafka.readAll(List.of(topic)).stream()
                .map(record -> new String(record.value(), UTF_8))
                .toList();
    }

    @Test
    void a_lost_answer_to_end_txn_leaves_the_transaction_committed() throws Exception {
        PlannedFault lost = proxy.lose(Loss.ANSWER, ApiKeys.END_TXN, 2, Then.SILENCE);
        try (KafkaProducer<byte[], byte[]> producer = transactionalProducer()) {
            producer.beginTransaction();
            send(producer, "first");
            producer.commitTransaction();
            assertThat(lost.hasHappened()).isFalse();
            producer.beginTransaction();
            send(producer, "second");
            producer.flush();
            proxy.lose(Loss.REQUEST, ApiKeys.END_TXN, 2, Then.SILENCE); // the client's next tries
            proxy.lose(Loss.REQUEST, ApiKeys.END_TXN, 3, Then.SILENCE);
            assertThatThrownBy(producer::commitTransaction).isInstanceOf(TimeoutException.class);
            lost.await(SOON);
            assertThat(read()).containsExactly("first", "second");
        }
    }

    @Test
    void a_lost_end_txn_never_reaches_the_broker() throws Exception {
        KafkaProducer<byte[], byte[]> producer = transactionalProducer();
        producer.beginTransaction();
        send(producer, "aborted");
        producer.flush();
        PlannedFault lost = proxy.lose(Loss.REQUEST, ApiKeys.END_TXN, 1, Then.CUT);
        PlannedFault again = proxy.lose(Loss.REQUEST, ApiKeys.END_TXN, 2, Then.SILENCE);
        PlannedFault anew = proxy.lose(Loss.REQUEST, ApiKeys.END_TXN, 3, Then.SILENCE);
        assertThatThrownBy(producer::commitTransaction).isInstanceOf(TimeoutException.class);
        for (PlannedFault each : List.of(lost, again, anew)) {
            each.await(SOON);
        }
        producer.close(Duration.ZERO);
        try (KafkaProducer<byte[], byte[]> successor = transactionalProducer()) {
            successor.beginTransaction();
            send(successor, "after");
            successor.commitTransaction();
        }
        assertThat(read()).containsExactly("after");
    }

    @ParameterizedTest
    @EnumSource(Then.class)
    void the_retry_of_a_produce_whose_answer_was_lost_adds_nothing(Then then) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("delivery.timeout.ms", 20_000))) {
            send(producer, "first").get(20, TimeUnit.SECONDS);
            PlannedFault lost = proxy.lose(Loss.ANSWER, ApiKeys.PRODUCE, 1, then);
            PlannedFault again = proxy.forwarded(ApiKeys.PRODUCE, 2);
            send(producer, "second").get(20, TimeUnit.SECONDS);
            lost.await(SOON);
            again.await(SOON);
        }
        assertThat(read()).containsExactly("first", "second");
    }

    @ParameterizedTest
    @EnumSource(Ending.class)
    void a_cut_also_holds_back_clients_that_know_the_brokers_metadata(Ending ending) throws Exception {
        nothingPassesUntilItIsHealed(() -> proxy.cut(ending));
    }

    private void nothingPassesUntilItIsHealed(Runnable fault) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of())) {
            send(producer, "before").get(20, TimeUnit.SECONDS);
            fault.run();
            assertThatThrownBy(() -> send(producer, "lost").get(20, TimeUnit.SECONDS))
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(TimeoutException.class);
            assertThat(read()).as("past the proxy").containsExactly("before");
            proxy.heal();
            send(producer, "after").get(20, TimeUnit.SECONDS);
        }
        assertThat(read()).containsExactly("before", "after");
    }

    @Test
    void a_stall_is_seen_as_silence_and_passes() throws Exception {
        nothingPassesUntilItIsHealed(proxy::stall);
    }
}
