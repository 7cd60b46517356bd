package io.stagedjobs.sample;

import io.javalin.http.Handler;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Continues the trace of a request or a job: jobs staged and calls made on this thread meanwhile belong to it. An
 * OpenTelemetry agent does this for an application.
 */
final class Trace {

    private static final TextMapGetter<Function<String, @Nullable String>> BY_NAME = new TextMapGetter<>() {
        @Override
        public Iterable<String> keys(Function<String, @Nullable String> headers) {
            return List.of("traceparent", "tracestate");
        }

        @Override
        public @Nullable String get(@Nullable Function<String, @Nullable String> headers, String name) {
            return headers == null ? null : headers.apply(name);
        }
    };

    private Trace() {}

    /** @param headers gives a header's value, or null if there is none; invalid headers count as none */
    static Context of(Function<String, @Nullable String> headers) {
        return W3CTraceContextPropagator.getInstance().extract(Context.root(), headers, BY_NAME);
    }

    /** The same handler, in the trace of its request. */
    static Handler continued(Handler handler) {
        return ctx -> of(ctx::header)
                .wrap(() -> {
                    handler.handle(ctx);
                    return true;
                })
                .call();
    }
}
