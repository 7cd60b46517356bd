package io.stagedjobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.context.Scope;
import java.util.List;
import java.util.Map;
import org.jooq.JSONB;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The trace of the staging code travels with its jobs, as headers. */
class TraceContextTest {

    private static final String TRACE = "0af7651916cd43dd8448eb211c80319c";
    private static final String SPAN = "b7ad6b7169203331";
    private static final String OTHER_SPAN = "00f067aa0ba902b7";

    private static SchemaFixture fixture;
    private final StagedJobs stagedJobs = new StagedJobs();

    @BeforeAll
    static void install() {
        fixture = new SchemaFixture("trace");
    }

    @BeforeEach
    void clear() {
        fixture.clear();
    }

    private static Scope span(String span) {
        return Span.wrap(SpanContext.create(
                        TRACE,
                        span,
                        TraceFlags.getSampled(),
                        TraceState.builder().put("vendor", "value").build()))
                .makeCurrent();
    }

    private static String traceparent(String span) {
        return "00-" + TRACE + "-" + span + "-01";
    }

    private static StagedJob job() {
        return StagedJob.builder("users", "user.created").header("own", "1").build();
    }

    private static List<Map<?, ?>> headers() {
        return fixture.dsl()
                .fetch("SELECT headers FROM staged_jobs ORDER BY id")
                .map(row -> parsed(row.get(0, JSONB.class)));
    }

    private static Map<?, ?> parsed(JSONB json) {
        try {
            return new ObjectMapper().readValue(json.data(), Map.class);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void a_job_carries_the_trace_in_which_it_was_staged() {
        try (Scope scope = span(SPAN)) {
            fixture.dsl().transaction(transaction -> stagedJobs.stage(transaction.dsl(), job()));
        }
        assertThat(headers())
                .isEqualTo(List.of(Map.of("own", "1", "traceparent", traceparent(SPAN), "tracestate", "vendor=value")));
    }

    @Test
    void a_job_of_a_unit_carries_the_trace_that_was_current_when_it_was_staged_and_not_at_the_commit() {
        UnitOfWork unit = UnitOfWork.on(fixture.database.dataSource());
        try (Scope outer = span(SPAN)) {
            unit.run(work -> {
                work.stage(job());
                try (Scope inner = span(OTHER_SPAN)) {
                    work.stage(job());
                }
            });
        }
        assertThat(headers())
                .extracting(headers -> (Object) headers.get("traceparent"))
                .isEqualTo(List.of(traceparent(SPAN), traceparent(OTHER_SPAN)));
    }

    @Test
    void headers_that_the_caller_set_win_and_are_not_mixed_with_another_trace() {
        try (Scope scope = span(SPAN)) {
            fixture.dsl().transaction(transaction -> {
                stagedJobs.stage(
                        transaction.dsl(),
                        StagedJob.builder("users", "n")
                                .header("traceparent", traceparent(OTHER_SPAN))
                                .build());
                stagedJobs.stage(
                        transaction.dsl(),
                        StagedJob.builder("users", "n")
                                .header("tracestate", "a=b")
                                .build());
            });
        }
        assertThat(headers())
                .isEqualTo(List.of(Map.of("traceparent", traceparent(OTHER_SPAN)), Map.of("tracestate", "a=b")));
    }

    @Test
    void without_a_span_or_without_a_context_nothing_is_added() {
        fixture.dsl().transaction(transaction -> stagedJobs.stage(transaction.dsl(), job()));
        try (Scope scope = span(SPAN)) {
            fixture.dsl()
                    .transaction(
                            transaction -> stagedJobs.tracing(TraceContext.NONE).stage(transaction.dsl(), job()));
        }
        assertThat(headers()).isEqualTo(List.of(Map.of("own", "1"), Map.of("own", "1")));
    }

    @Test
    void a_context_of_the_applications_own_takes_the_place_of_opentelemetrys() {
        StagedJobs own = stagedJobs.tracing(() -> Map.of("traceparent", "mine"));
        try (Scope scope = span(SPAN)) {
            UnitOfWork.on(fixture.database.dataSource()).staging(own).run(work -> work.stage(job()));
        }
        assertThat(headers()).isEqualTo(List.of(Map.of("own", "1", "traceparent", "mine")));
    }

    @Test
    void a_context_cannot_write_the_enqueuers_headers() {
        StagedJobs own = stagedJobs.tracing(() -> Map.of("ce_id", "mine"));
        assertThatThrownBy(() -> fixture.dsl().transaction(transaction -> own.stage(transaction.dsl(), job())))
                .isInstanceOf(JobRefusedException.class);
    }
}
