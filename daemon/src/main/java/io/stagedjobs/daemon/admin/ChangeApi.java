package io.stagedjobs.daemon.admin;

import static io.stagedjobs.daemon.admin.Answers.refusal;

import io.javalin.http.Context;
import io.javalin.http.Handler;
import io.javalin.http.HttpResponseException;
import io.stagedjobs.daemon.admin.Access.Caller;
import io.stagedjobs.daemon.admin.Outbox.Change;
import io.stagedjobs.daemon.admin.Outbox.Selection;
import io.stagedjobs.daemon.admin.Views.Done;
import io.stagedjobs.enqueuer.BackgroundThreads;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Semaphore;
import java.util.function.Supplier;
import java.util.function.ToIntFunction;

/** What the API does. Each call leaves a line in the audit log. */
final class ChangeApi implements AutoCloseable {

    private static final int THREADS = 2;
    private static final int QUEUE_MAX = 20;
    private static final Set<String> OF_SELECTIONS = Set.of("ids", "filter", "all", "dryRun", "expected");
    private static final Set<String> OF_PAUSES = Set.of("topic", "everything", "dryRun");

    private final Outbox outbox;
    private final Access access;
    private final Body.Reader bodies;
    private final Set<String> reasons;
    private final Runnable changed;
    private final Semaphore moving = new Semaphore(1);
    private final ExecutorService changes;

    /** @param changed called after each change */
    ChangeApi(Outbox outbox, Access access, Body.Reader bodies, Set<String> reasons, Runnable changed) {
        this.outbox = outbox;
        this.access = access;
        this.bodies = bodies;
        this.reasons = reasons;
        this.changed = changed;
        this.changes = BackgroundThreads.pool("admin-change", THREADS, QUEUE_MAX);
    }

    /** How jobs are moved; a dry run only says how many it would be. */
    private interface Move {
        Change of(Selection selection, boolean dryRun);
    }

    private interface Pausing {
        boolean of(String topic, boolean dryRun);
    }

    /** By path. */
    Map<String, Handler> routes() {
        Map<String, Handler> routes = new LinkedHashMap<>();
        routes.put("/api/v1/jobs/requeue", context -> move(context, outbox::requeue, Change::requeued, false));
        routes.put("/api/v1/jobs/discard", context -> move(context, outbox::discard, Change::discarded, true));
        routes.put("/api/v1/pause", context -> pausing(context, outbox::pause));
        routes.put("/api/v1/resume", context -> pausing(context, outbox::resume));
        return routes;
    }

    private void move(Context context, Move move, ToIntFunction<Change> counted, boolean expectedNeeded) {
        Caller caller = access.requireOperator(context);
        Parameters.of(context, Set.of());
        Body body = bodies.read(context, OF_SELECTIONS);
        Selection selection = body.selection(reasons);
        boolean dryRun = body.flag("dryRun");
        OptionalInt expected = body.count("expected");
        if (expectedNeeded && !dryRun && expected.isEmpty()) {
            throw refusal(400, "expected is missing: ask with \"dryRun\": true first, and give the number it answers");
        }
        later(context, caller, Audit.words(selection), dryRun, () -> {
            if (!moving.tryAcquire()) {
                throw refusal(409, "another requeue or discard is under way; nothing was changed, ask again later");
            }
            try {
                if (!dryRun && expected.isPresent()) {
                    requireExpected(expected.getAsInt(), counted.applyAsInt(move.of(selection, true)));
                }
                return new Views.Changed(dryRun, move.of(selection, dryRun));
            } finally {
                moving.release();
            }
        });
    }

    private static void requireExpected(int expected, int now) {
        if (expected != now) {
            throw refusal(
                    409,
                    "expected is " + expected + ", but it would be " + now + " jobs now; nothing was changed, ask with"
                            + " \"dryRun\": true again");
        }
    }

    private void pausing(Context context, Pausing pausing) {
        Caller caller = access.requireOperator(context);
        Parameters.of(context, Set.of());
        Body body = bodies.read(context, OF_PAUSES);
        String topic = body.topicOrEverything();
        boolean dryRun = body.flag("dryRun");
        later(
                context,
                caller,
                "topic=" + Audit.quoted(topic),
                dryRun,
                () -> new Views.Paused(dryRun, topic, pausing.of(topic, dryRun)));
    }

    private void later(Context context, Caller caller, String what, boolean dryRun, Supplier<Done> change) {
        String path = context.path();
        String from = context.ip();
        Answers.later(context, CompletableFuture.supplyAsync(change, changes).whenComplete((done, failure) -> {
            if (!dryRun) {
                changed.run();
            }
            Audit.did(path, caller, from, what, dryRun, failure == null ? done.words() : words(failure));
        }));
    }

    private static String words(Throwable failure) {
        Throwable e = Answers.cause(failure);
        return e instanceof HttpResponseException refusal
                ? "refused with " + refusal.getStatus() + ": " + refusal.getMessage()
                : "failed: " + e.getMessage();
    }

    @Override
    public void close() {
        changes.shutdownNow();
    }
}
