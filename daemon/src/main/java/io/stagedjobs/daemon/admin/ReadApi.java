package io.stagedjobs.daemon.admin;

import static io.stagedjobs.daemon.admin.Answers.refusal;

import io.javalin.http.Context;
import io.javalin.http.Handler;
import io.stagedjobs.daemon.admin.Outbox.Selection;
import io.stagedjobs.daemon.admin.Outbox.State;
import io.stagedjobs.enqueuer.BackgroundThreads;
import io.stagedjobs.enqueuer.Health;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.function.Function;
import java.util.function.Supplier;

/** What the API tells. Nothing here changes anything. */
final class ReadApi implements AutoCloseable {

    private static final Duration SHARED_FOR = Duration.ofSeconds(1);
    private static final int THREADS = 2;
    private static final int QUEUE_MAX = 100;
    private static final int PAGE_MAX = 500;
    private static final int PAGE = 50;

    private final Outbox outbox;
    private final Series series;
    private final Health health;
    private final Access access;
    private final Set<String> reasons;
    private final SharedReading<State> state;
    private final SharedReading<byte[]> doctor;
    private final ExecutorService questions;

    ReadApi(Outbox outbox, Series series, Health health, Access access, Set<String> reasons, Supplier<Object> doctor) {
        this.outbox = outbox;
        this.series = series;
        this.health = health;
        this.access = access;
        this.reasons = reasons;
        this.state = new SharedReading<>("admin-status", SHARED_FOR, System::nanoTime, outbox::state);
        this.doctor =
                new SharedReading<>("admin-doctor", SHARED_FOR, System::nanoTime, () -> Answers.bytes(doctor.get()));
        this.questions = BackgroundThreads.pool("admin-question", THREADS, QUEUE_MAX);
    }

    /** By path. */
    Map<String, Handler> routes() {
        Map<String, Handler> routes = new LinkedHashMap<>();
        String document = PageFiles.text("openapi.yaml");
        routes.put("/api/v1/openapi.yaml", context -> {
            Parameters.of(context, Set.of());
            context.contentType("application/yaml").result(document);
        });
        routes.put("/api/v1/status", shared(this::status));
        routes.put("/api/v1/overview", this::overview);
        routes.put("/api/v1/topics", shared(now -> Views.topics(now, Views.TOPICS_MAX)));
        routes.put("/api/v1/lanes", shared(now -> Map.of("lanes", now.lanes())));
        routes.put("/api/v1/enqueuers", shared(now -> Map.of("enqueuers", now.enqueuers())));
        routes.put("/api/v1/doctor", context -> {
            Parameters.of(context, Set.of());
            Answers.later(context, doctor.ask());
        });
        routes.put("/api/v1/series", context -> {
            Parameters.of(context, Set.of());
            Answers.json(context, Views.points(series.points(), Series.POINTS_MAX));
        });
        routes.put("/api/v1/jobs", this::jobs);
        routes.put("/api/v1/jobs/{id}", this::job);
        return routes;
    }

    /** Something was changed, and who changed it is to see that. */
    void outdated() {
        state.outdated();
        doctor.outdated();
    }

    private Handler shared(Function<State, Object> view) {
        return context -> {
            Parameters.of(context, Set.of());
            Answers.later(context, state.ask().thenApply(view));
        };
    }

    private Views.Status status(State now) {
        return Views.status(now, series.rates(), health.standsBy(), health.problems());
    }

    private void overview(Context context) {
        int points = (int)
                Parameters.of(context, Set.of("points")).number("points", 0, Series.POINTS_MAX, Series.POINTS_MAX);
        Access.Caller caller = access.requireReader(context);
        Answers.later(
                context,
                state.ask()
                        .thenApply(now -> new Views.Overview(
                                new Views.Rights(caller.mayChange(), caller.maySeePayloads()),
                                status(now),
                                Views.topics(now, Views.TOPICS_OF_OVERVIEW_MAX),
                                Views.points(series.points(), points))));
    }

    private void jobs(Context context) {
        Parameters given = Parameters.of(context, Set.of("state", "topic", "key", "reason", "name", "after", "limit"));
        Selection selection = Parameters.checked(
                new Selection(
                        List.of(),
                        given.text("state"),
                        given.text("topic"),
                        given.text("key"),
                        given.text("reason"),
                        given.text("name")),
                reasons);
        long after = given.number("after", 0, Long.MAX_VALUE, -1);
        int limit = (int) given.number("limit", 1, PAGE_MAX, PAGE);
        Answers.later(context, CompletableFuture.supplyAsync(() -> page(selection, after, limit), questions));
    }

    private Views.Page page(Selection selection, long after, int limit) {
        List<Outbox.Job> jobs = outbox.jobs(selection, after, limit + 1);
        return new Views.Page(
                jobs.stream().limit(limit).map(Outbox.Job::shown).toList(),
                jobs.size() > limit ? (Long) jobs.get(limit - 1).id() : null);
    }

    private void job(Context context) {
        boolean withPayload = Parameters.of(context, Set.of("payload")).flag("payload");
        long id = Parameters.id(context);
        if (withPayload) {
            access.requireOperatorsToken(context);
        }
        Answers.later(context, CompletableFuture.supplyAsync(() -> job(id, withPayload), questions));
    }

    private Object job(long id, boolean withPayload) {
        Outbox.Job job = outbox.job(id)
                .orElseThrow(
                        () -> refusal(404, "no job with this id is moved aside; /api/v1/jobs shows those that are"));
        if (!withPayload) {
            return job.shown();
        }
        return new Views.JobInFull(
                job.shown(),
                outbox.payload(id, Views.BYTES_MAX + 1)
                        .map(Views.Payload::firstOf)
                        .orElse(null));
    }

    @Override
    public void close() {
        questions.shutdownNow();
        state.close();
        doctor.close();
    }
}
