package io.stagedjobs;

import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapSetter;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The thread's current span, from OpenTelemetry's API, an optional dependency of this library. It always writes the W3C
 * form, whatever propagators the application uses, because the contract names these headers.
 */
public final class OpenTelemetryTraceContext implements TraceContext {

    private static final TextMapSetter<Map<String, String>> INTO_MAP = (headers, name, value) -> {
        if (headers != null) {
            headers.put(name, value);
        }
    };

    private final W3CTraceContextPropagator propagator = W3CTraceContextPropagator.getInstance();

    @Override
    public Map<String, String> headers() {
        Map<String, String> headers = new LinkedHashMap<>();
        propagator.inject(Context.current(), headers, INTO_MAP);
        return headers;
    }
}
