package io.stagedjobs.enqueuer;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.kafka.AtLeastOncePublisher;
import io.stagedjobs.enqueuer.kafka.ExactlyOncePublisher;
import io.stagedjobs.enqueuer.kafka.KafkaClientSettings;
import io.stagedjobs.enqueuer.postgres.Database;
import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.enqueuer.postgres.PostgresMembership;
import io.stagedjobs.faultkit.TestOutbox;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.function.LongSupplier;

/** An outbox, and whatever of the enqueuer a test wants to run on it. */
public final class Outbox extends TestOutbox {

    public static final Duration TAKEOVER_AFTER = Duration.ofSeconds(3);
    private static final Duration PUBLISH_TIMEOUT = Duration.ofSeconds(4);

    final OperatorPauses pauses = new OperatorPauses();
    final Health health = new Health();

    public Outbox(String prefix) {
        super(prefix);
    }

    /** On servers of its own. */
    public Outbox(TestPostgres postgres, TestKafka kafka, String prefix) {
        super(postgres, kafka, prefix);
    }

    public PostgresLanes lanes() {
        return lanes(database);
    }

    /** Of this database as somebody else sees it: a copy of it, or under another role. */
    public PostgresLanes lanes(TestDatabase seen) {
        HikariDataSource pool = new Database(
                        seen.url(), Optional.of(seen.username()), () -> Optional.of(seen.password()))
                .pool(10, PUBLISH_TIMEOUT, new SimpleMeterRegistry());
        return new PostgresLanes(
                keep(pool),
                Schema.PUBLIC,
                new PostgresMembership.Identity(
                        UUID.randomUUID(),
                        "test",
                        DeliveryMode.AT_LEAST_ONCE,
                        dsl().fetchSingle("SELECT left(identity::text, 8) FROM staged_job_delivery")
                                .get(0, String.class)),
                TAKEOVER_AFTER,
                PUBLISH_TIMEOUT);
    }

    public AtLeastOncePublisher publisher(Map<String, String> properties) {
        return keep(new AtLeastOncePublisher(clients(properties), "/tests", new SimpleMeterRegistry()));
    }

    /** A publisher of the mode exactly-once, whose progress topic exists. */
    public ExactlyOncePublisher exactlyOnce() {
        return exactlyOnce(Map.of());
    }

    /** As {@link #exactlyOnce()}, with more properties of the Kafka clients. */
    public ExactlyOncePublisher exactlyOnce(Map<String, String> properties) {
        ExactlyOncePublisher publisher = keep(
                new ExactlyOncePublisher(clients(properties), database.name(), "/tests", new SimpleMeterRegistry()));
        publisher.check(LANES);
        return publisher;
    }

    private KafkaClientSettings clients(Map<String, String> properties) {
        Map<String, String> all = new HashMap<>(properties);
        all.put("bootstrap.servers", kafka.bootstrapServers());
        return new KafkaClientSettings(all, PUBLISH_TIMEOUT);
    }

    public Enqueuer enqueuer() {
        return enqueuer(publisher(Map.of()));
    }

    public Enqueuer enqueuer(Publisher publisher) {
        PostgresLanes lanes = lanes();
        return enqueuer(lanes.membership(), lanes, publisher);
    }

    Enqueuer enqueuer(Membership membership, Lanes lanes, Publisher publisher) {
        return keep(new Enqueuer(
                membership,
                lanes,
                publisher,
                new Enqueuer.Options(
                        new BatchLimits(500, 1_000_000),
                        PUBLISH_TIMEOUT,
                        Duration.ofMillis(2),
                        Duration.ofMillis(50),
                        Duration.ofMillis(200),
                        Duration.ofSeconds(10)),
                new Health(),
                new SimpleMeterRegistry()));
    }

    LaneRunner runner(int lane, Lanes lanes, Publisher publisher) {
        return runner(lane, lanes, publisher, System::nanoTime);
    }

    LaneRunner runner(int lane, Lanes lanes, Publisher publisher, LongSupplier nanoTime) {
        return runner(lane, lanes, publisher, nanoTime, new BatchLimits(500, 1_000_000));
    }

    LaneRunner runner(int lane, Lanes lanes, Publisher publisher, LongSupplier nanoTime, BatchLimits limits) {
        return runner(lane, lanes, publisher, nanoTime, limits, Duration.ofMillis(50));
    }

    LaneRunner runner(
            int lane, Lanes lanes, Publisher publisher, LongSupplier nanoTime, BatchLimits limits, Duration lookMax) {
        return new LaneRunner(
                lane,
                new Ports(lanes, publisher),
                new LaneContext(
                        limits,
                        PUBLISH_TIMEOUT,
                        pauses,
                        new CommitHorizon(lanes, nanoTime),
                        new HeldTopics(nanoTime),
                        new BackgroundThreads("read-ahead"),
                        nanoTime),
                new Observers(health, new Meters(new SimpleMeterRegistry(), () -> 0, health, nanoTime)),
                new Pace(new Pace.Intervals(Duration.ofMillis(2), lookMax), nanoTime, new Random()));
    }
}
