package io.stagedjobs;

/** Checks once whether OpenTelemetry's API is on the class path. */
final class InstalledTraceContext {

    private static final TraceContext CONTEXT = find();

    private InstalledTraceContext() {}

    static TraceContext get() {
        return CONTEXT;
    }

    private static TraceContext find() {
        try {
            return new OpenTelemetryTraceContext();
        } catch (NoClassDefFoundError absent) {
            return TraceContext.NONE;
        }
    }
}
