package io.stagedjobs.consumer;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.Work;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/** The handlers of a consumer by the names of jobs. Immutable. */
final class Handlers {

    /** Handles the job of one record in an open unit of work. */
    @FunctionalInterface
    interface OfBytes {
        void handle(Work work, Job<byte @Nullable []> job) throws Exception;
    }

    private final Map<String, OfBytes> byName;

    private Handlers(Map<String, OfBytes> byName) {
        this.byName = byName;
    }

    static Handlers none() {
        return new Handlers(Map.of());
    }

    /** @throws IllegalArgumentException if the name has a handler */
    Handlers with(String name, OfBytes handler) {
        Map<String, OfBytes> more = new LinkedHashMap<>(byName);
        if (more.put(name, handler) != null) {
            throw new IllegalArgumentException("jobs named \"" + name + "\" have a handler already");
        }
        return new Handlers(Map.copyOf(more));
    }

    Set<String> names() {
        return byName.keySet();
    }

    /** Whether a record has the name of a job that nobody handles; one without a name is no job, and is not ignored. */
    boolean ignores(Received received) {
        Header name = received.record.headers().lastHeader("ce_type");
        return name != null && name.value() != null && !byName.containsKey(new String(name.value(), UTF_8));
    }

    void handle(Work work, Job<byte @Nullable []> job) throws Exception {
        OfBytes handler = byName.get(job.name());
        if (handler == null) {
            throw new IllegalStateException("nobody handles " + job);
        }
        handler.handle(work, job);
    }
}
