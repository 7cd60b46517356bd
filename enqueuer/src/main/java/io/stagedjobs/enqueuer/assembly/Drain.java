package io.stagedjobs.enqueuer.assembly;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Health;
import io.stagedjobs.enqueuer.postgres.Status;
import io.stagedjobs.enqueuer.postgres.StatusReader;
import io.stagedjobs.enqueuer.settings.Settings;
import io.stagedjobs.enqueuer.settings.SettingsException;
import io.stagedjobs.schema.SchemaException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * An enqueuer that publishes the jobs committed before its start, then ends. It shares the lanes with other enqueuers.
 */
public final class Drain {

    private static final long LOOK_EVERY_MILLIS = 50;

    /**
     * While only held jobs are left, looks less often: counting them and asking Kafka costs more than looking for a
     * job.
     */
    private static final long LOOK_AT_HELD_EVERY_MILLIS = 500;

    private static final Duration LOOK_AROUND_AFTER = Duration.ofSeconds(2);

    /**
     * The outcome for the jobs that were committed before.
     *
     * @param published the number of published ones, by any enqueuer
     * @param left the reasons why others were not, a sentence for each topic with its number of jobs; empty if there
     *     are none
     */
    public record Result(long published, List<String> left) {}

    private final StatusReader reader;
    private final EnqueuerAssembly assembly;
    private final Duration patience;
    private final long before;
    private final long lastId;

    private Drain(StatusReader reader, EnqueuerAssembly assembly, Duration patience) {
        this.reader = reader;
        this.assembly = assembly;
        this.patience = patience;
        this.before = reader.count();
        this.lastId = reader.lastId();
    }

    /**
     * Runs until only jobs remain that were moved aside and stay there, or until no job moved for {@code patience}.
     * While everything is paused it starts nothing.
     *
     * @throws SettingsException if a setting is missing or wrong
     * @throws ExternalFailureException if PostgreSQL or Kafka is down at the start, or PostgreSQL goes down later
     * @throws SchemaException if the schema is not the one that this software knows
     * @throws InterruptedException if the thread is interrupted meanwhile; the enqueuer has ended, no job is lost
     */
    public static Result run(Settings settings, Duration patience) throws InterruptedException {
        Health health = new Health();
        try (EnqueuerAssembly assembly = new EnqueuerAssembly(settings, health, new SimpleMeterRegistry());
                Connection connection = EnqueuerAssembly.database(settings).connect()) {
            StatusReader reader = new StatusReader(connection, EnqueuerAssembly.schema(settings));
            if (reader.everythingPaused()) {
                return new Result(
                        0,
                        List.of("everything is paused, so that nothing would be published, and nothing was. End"
                                + " that with `staged-jobs resume`."));
            }
            return new Drain(reader, assembly, patience).run(health);
        } catch (SQLException e) {
            throw new IllegalStateException("could not close the connection", e);
        }
    }

    private Result run(Health health) throws InterruptedException {
        assembly.start();
        boolean drained = await();
        List<Status.Topic> staged = reader.waitingByTopic(lastId);
        List<Status.Aside> aside = reader.aside(lastId);
        long left = staged.stream().mapToLong(Status.Topic::backlog).sum()
                + aside.stream().mapToLong(Status.Aside::jobs).sum();
        return new Result(
                Math.max(0, before - left),
                reasons(staged, aside, drained ? List.of() : health.summary(), health.standsBy()));
    }

    /**
     * False if no job moved for too long. While none moves here, another enqueuer may be working: this checks that too.
     */
    private boolean await() throws InterruptedException {
        long published = -1;
        List<?> left = List.of();
        long movedAt = System.nanoTime();
        long lookedAt = movedAt;
        while (true) {
            boolean waiting = reader.anyWaiting(lastId);
            if (!waiting && !anyReturns()) {
                return true;
            }
            long now = System.nanoTime();
            if (assembly.enqueuer().published() != published) {
                published = assembly.enqueuer().published();
                movedAt = now;
                lookedAt = now;
            } else if (now - lookedAt > LOOK_AROUND_AFTER.toNanos()) {
                List<?> leftNow = List.of(reader.waitingByTopic(lastId), reader.aside(lastId));
                movedAt = leftNow.equals(left) ? movedAt : now;
                left = leftNow;
                lookedAt = now;
            }
            if (now - movedAt > patience.toNanos()) {
                return false;
            }
            TimeUnit.MILLISECONDS.sleep(waiting ? LOOK_EVERY_MILLIS : LOOK_AT_HELD_EVERY_MILLIS);
        }
    }

    /** Whether a topic with held jobs takes jobs now, so that they will return soon. */
    private boolean anyReturns() {
        Set<String> held = reader.aside(lastId).stream()
                .filter(Status.Aside::held)
                .map(Status.Aside::topic)
                .collect(Collectors.toSet());
        held.removeAll(reader.pauses());
        try {
            return !held.isEmpty()
                    && !assembly.publisher().refused(held).keySet().containsAll(held);
        } catch (ExternalFailureException away) {
            return true; // the lanes notice that too, and health reports it
        }
    }

    private List<String> reasons(
            List<Status.Topic> staged, List<Status.Aside> aside, List<String> problems, boolean standsBy) {
        List<String> reasons = new ArrayList<>();
        if (!staged.isEmpty() || !aside.isEmpty()) {
            reasons.addAll(problems);
        }
        for (Status.Topic topic : staged) {
            reasons.add(StatusReader.jobs(topic.backlog()) + " of topic " + topic.topic()
                    + " left staged: nothing was published for " + patience.toSeconds()
                    + (standsBy ? " s; another enqueuer owns the lanes" : " s")
                    + ", see `staged-jobs status`");
        }
        for (Status.Aside group : aside) {
            reasons.add(StatusReader.jobs(group.jobs()) + " of topic " + group.topic() + " "
                    + (group.held() ? "held" : "parked, see `staged-jobs parked list`") + ": " + group.reason()
                    + (group.error().isEmpty() ? "" : ": " + group.error()));
        }
        return reasons;
    }
}
