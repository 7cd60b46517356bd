package io.stagedjobs.daemon.outbox;

import io.stagedjobs.daemon.admin.Outbox;
import io.stagedjobs.enqueuer.assembly.EnqueuerAssembly;
import io.stagedjobs.enqueuer.postgres.Database;
import io.stagedjobs.enqueuer.postgres.ParkedChanges;
import io.stagedjobs.enqueuer.postgres.ParkedJobs;
import io.stagedjobs.enqueuer.postgres.PausedTopics;
import io.stagedjobs.enqueuer.postgres.Status;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.settings.Setting;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;

/** Each call opens a connection and closes it, so that the page keeps no connection from the lanes. */
public final class PostgresOutbox implements Outbox {

    /** Whoever looks gets an answer in about a second, or hears that there is none. */
    public static final Duration PATIENCE = Duration.ofSeconds(1);

    /** PostgreSQL ends the statement first. */
    private static final Duration SILENCE_MORE = Duration.ofSeconds(10);

    private final Settings settings;
    private final Schema schema;
    private final Duration patience;

    /** @param patience how long PostgreSQL may take for one statement that only reads */
    public PostgresOutbox(Settings settings, Duration patience) {
        this.settings = settings;
        this.schema = EnqueuerAssembly.schema(settings);
        this.patience = patience;
    }

    @Override
    public State state() {
        Status now = reading((connection, in) ->
                new StatusReader(connection, in).read(settings.get(Setting.TAKEOVER_AFTER), patience));
        return new State(
                now.at(),
                now.schemaVersion(),
                now.backlog(),
                now.exact(),
                now.oldestAgeSeconds(),
                now.topics().stream()
                        .map(topic -> new Waiting(topic.topic(), topic.backlog(), topic.exact()))
                        .toList(),
                now.aside().stream()
                        .map(group ->
                                new Aside(group.topic(), group.state(), group.reason(), group.error(), group.jobs()))
                        .toList(),
                now.asideExact(),
                now.paused(),
                now.lanes(),
                now.enqueuers());
    }

    @Override
    public Counters counters() {
        StatusReader.Counters now = reading((connection, in) -> new StatusReader(connection, in).counters(patience));
        return new Counters(now.at(), now.lastId(), now.deleted(), now.movedAside());
    }

    @Override
    public List<Job> jobs(Selection selection, long after, int limit) {
        return parked(jobs -> jobs.list(of(selection), after, limit)).stream()
                .map(job -> new Job(job.id(), job))
                .toList();
    }

    @Override
    public Optional<Job> job(long id) {
        return jobs(Selection.of(List.of(id)), id - 1, 1).stream().findFirst();
    }

    @Override
    public Optional<byte[]> payload(long id, int bytesMax) {
        return parked(jobs -> jobs.payload(id, bytesMax));
    }

    @Override
    public Change requeue(Selection selection, boolean dryRun) {
        ParkedJobs.Selection jobs = of(selection);
        ParkedJobs.Selection parked = new ParkedJobs.Selection(
                jobs.ids(), "parked", jobs.topic(), jobs.key(), jobs.reason(), jobs.name()); // held ones return anyhow
        return "held".equals(jobs.state())
                ? new Change(0, 0, 0, 0, 0)
                : changing((connection, in) -> {
                    ParkedChanges all = new ParkedChanges(connection, in);
                    return of(dryRun ? all.wouldRequeue(parked) : all.requeue(parked));
                });
    }

    @Override
    public Change discard(Selection selection, boolean dryRun) {
        return changing((connection, in) -> {
            ParkedChanges all = new ParkedChanges(connection, in);
            return of(dryRun ? all.wouldDiscard(of(selection)) : all.discard(of(selection)));
        });
    }

    @Override
    public boolean pause(String topic, boolean dryRun) {
        return changing((connection, in) -> dryRun
                ? !new StatusReader(connection, in).pauses().contains(topic)
                : new PausedTopics(connection, in).pause(topic));
    }

    @Override
    public boolean resume(String topic, boolean dryRun) {
        return changing((connection, in) -> dryRun
                ? new StatusReader(connection, in).pauses().contains(topic)
                : new PausedTopics(connection, in).resume(topic));
    }

    private <T> T parked(Function<ParkedJobs, T> work) {
        return reading((connection, in) -> new ParkedJobs(connection, in).within(patience, work));
    }

    private static ParkedJobs.Selection of(Selection jobs) {
        return new ParkedJobs.Selection(jobs.ids(), jobs.state(), jobs.topic(), jobs.key(), jobs.reason(), jobs.name());
    }

    private static Change of(ParkedChanges.Change change) {
        return new Change(change.requeued(), change.discarded(), change.held(), change.followed(), change.kept());
    }

    private <T> T reading(BiFunction<Connection, Schema, T> work) {
        return connected(patience.plus(SILENCE_MORE), work);
    }

    private <T> T changing(BiFunction<Connection, Schema, T> work) {
        return connected(Database.SILENCE_OF_COMMANDS_MAX, work);
    }

    private <T> T connected(Duration silenceMax, BiFunction<Connection, Schema, T> work) {
        try (Connection connection = EnqueuerAssembly.connect(settings, silenceMax)) {
            return work.apply(connection, schema);
        } catch (SQLException e) {
            throw new IllegalStateException("could not close the connection", e);
        }
    }
}
