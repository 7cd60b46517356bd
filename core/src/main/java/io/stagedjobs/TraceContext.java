package io.stagedjobs;

import java.util.Map;

/**
 * The trace of the running code, as headers of the jobs that it stages: W3C {@code traceparent} and {@code tracestate}.
 * They are read when a job is staged, and travel to the consumer as the job's own headers.
 *
 * <p>{@link StagedJobs} uses {@link #installed()} by default. Implementations must be thread-safe, and fast: they are
 * called for each job.
 */
@FunctionalInterface
public interface TraceContext {

    /** Adds nothing. */
    TraceContext NONE = Map::of;

    /** The headers to add; empty if there is no trace. */
    Map<String, String> headers();

    /** OpenTelemetry's current span if its API is on the class path, else {@link #NONE}. */
    static TraceContext installed() {
        return InstalledTraceContext.get();
    }
}
