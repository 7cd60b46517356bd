package io.stagedjobs;

import java.util.Map;

/**
 * Tells which trace the running code belongs to, as headers of the jobs that it stages: W3C {@code traceparent} and
 * {@code tracestate}. They are read when a job is staged, and travel to the consumer as the job's own headers.
 *
 * <p>{@link StagedJobs} uses {@link #installed()} unless it is told otherwise. Implementations are safe for use by many
 * threads, and fast: they are asked with each job.
 */
@FunctionalInterface
public interface TraceContext {

    /** Adds nothing. */
    TraceContext NONE = Map::of;

    /** The headers to add; empty if there is no trace. */
    Map<String, String> headers();

    /** OpenTelemetry's current span where its API is on the class path, else {@link #NONE}. */
    static TraceContext installed() {
        return InstalledTraceContext.get();
    }
}
