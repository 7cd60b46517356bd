package io.stagedjobs.testkit.jobs;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.Scope;
import io.opentelemetry.context.propagation.TextMapGetter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.stagedjobs.StagedJob;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.testkit.TestKafka;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.junit.jupiter.api.Test;

/** A trace goes from the request of an application through its transaction, the enqueuer and Kafka to a consumer. */
class TraceTest {

    private static final Map<String, String> REQUEST = Map.of(
            "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate", "vendor=value");

    private static final TextMapGetter<Map<String, String>> OF_REQUEST = new TextMapGetter<>() {
        @Override
        public Iterable<String> keys(Map<String, String> request) {
            return request.keySet();
        }

        @Override
        public String get(Map<String, String> request, String name) {
            return request.get(name);
        }
    };

    private static final TextMapGetter<ConsumerRecord<byte[], byte[]>> OF_RECORD = new TextMapGetter<>() {
        @Override
        public Iterable<String> keys(ConsumerRecord<byte[], byte[]> record) {
            return Arrays.stream(record.headers().toArray()).map(Header::key).toList();
        }

        @Override
        public String get(ConsumerRecord<byte[], byte[]> record, String name) {
            return header(record, name);
        }
    };

    private static String header(ConsumerRecord<byte[], byte[]> record, String name) {
        return new String(record.headers().lastHeader(name).value(), UTF_8);
    }

    private static <T> Context extracted(T carrier, TextMapGetter<T> getter) {
        return W3CTraceContextPropagator.getInstance().extract(Context.root(), carrier, getter);
    }

    @Test
    void a_consumer_continues_the_span_in_which_a_job_was_staged() {
        TestTables tables = new TestTables("trace");
        TestKafka kafka = TestKafka.shared();
        String topic = kafka.newTopic("trace", 1);
        SpanContext staging;
        try (SdkTracerProvider provider = SdkTracerProvider.builder().build()) {
            Span span = provider.get("test")
                    .spanBuilder("sign up")
                    .setParent(extracted(REQUEST, OF_REQUEST))
                    .startSpan();
            staging = span.getSpanContext();
            try (Scope scope = span.makeCurrent()) {
                UnitOfWork.on(tables.dataSource)
                        .run(work -> work.stage(
                                StagedJob.builder(topic, "user.created").build()));
            } finally {
                span.end();
            }
        }
        tables.enqueuer().drain();

        List<ConsumerRecord<byte[], byte[]>> records = kafka.readAll(List.of(topic));
        assertThat(records).hasSize(1);
        assertThat(header(records.get(0), "traceparent"))
                .isEqualTo("00-0af7651916cd43dd8448eb211c80319c-" + staging.getSpanId() + "-01");
        assertThat(staging.getSpanId()).isNotEqualTo("b7ad6b7169203331");
        assertThat(header(records.get(0), "tracestate")).isEqualTo("vendor=value");

        SpanContext continued =
                Span.fromContext(extracted(records.get(0), OF_RECORD)).getSpanContext();
        assertThat(continued.isRemote()).isTrue();
        assertThat(continued.getTraceId()).isEqualTo(staging.getTraceId());
        assertThat(continued.getSpanId()).isEqualTo(staging.getSpanId());
        assertThat(continued.getTraceState()).isEqualTo(staging.getTraceState());
    }
}
