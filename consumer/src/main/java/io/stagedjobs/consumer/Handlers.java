package io.stagedjobs.consumer;

import io.stagedjobs.Work;
import io.stagedjobs.consumer.JobConsumer.Handler;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The handlers of a consumer by the names of jobs. Immutable. */
final class Handlers {

    private final Map<String, Handler<byte @Nullable []>> byName;

    private Handlers(Map<String, Handler<byte @Nullable []>> byName) {
        this.byName = byName;
    }

    static Handlers none() {
        return new Handlers(Map.of());
    }

    /** @throws IllegalArgumentException if the name has a handler */
    Handlers with(String name, Handler<byte @Nullable []> handler) {
        Map<String, Handler<byte @Nullable []>> more = new LinkedHashMap<>(byName);
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
        String name = Job.name(received.record);
        return name != null && !byName.containsKey(name);
    }

    void handle(Work work, Job<byte @Nullable []> job) throws Exception {
        Handler<byte @Nullable []> handler = byName.get(job.name());
        if (handler == null) {
            throw new IllegalStateException("nobody handles " + job);
        }
        handler.handle(work, job);
    }
}
