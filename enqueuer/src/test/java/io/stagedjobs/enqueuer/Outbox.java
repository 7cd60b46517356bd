package io.stagedjobs.enqueuer;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.stagedjobs.enqueuer.kafka.AtLeastOncePublisher;
import io.stagedjobs.enqueuer.kafka.ExactlyOncePublisher;
import io.stagedjobs.enqueuer.kafka.KafkaClientSettings;
import io.stagedjobs.enqueuer.postgres.Database;
import io.stagedjobs.enqueuer.postgres.DatabaseIdentity;
import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.enqueuer.postgres.PostgresMembership;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/** A database with the tables installed, a broker, and whatever of the enqueuer a test wants to run on them. */
public final class Outbox implements AutoCloseable {

    public static final Duration TAKEOVER_AFTER = Duration.ofSeconds(3);
    private static final int LANES = 8;
    private static final Duration PUBLISH_TIMEOUT = Duration.ofSeconds(4);

    public final TestDatabase database;
    public final TestKafka kafka;
    final Pauses pauses = new Pauses();
    final Health health = new Health();
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    public Outbox(String prefix) {
        this(TestPostgres.shared(), TestKafka.shared(), prefix);
    }

    /** With eight lanes. */
    public Outbox(TestPostgres postgres, TestKafka kafka, String prefix) {
        this.database = postgres.newDatabase(prefix);
        this.kafka = kafka;
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.migrate(connection);
            DatabaseIdentity.changeLanes(connection, Schema.PUBLIC, LANES, TAKEOVER_AFTER.toMillis(), line -> {});
            dsl().execute("UPDATE staged_job_lanes SET generation = 0"); // as new
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    public DSLContext dsl() {
        return DSL.using(database.dataSource(), SQLDialect.POSTGRES);
    }

    /** A connection with an open transaction. */
    public Connection transaction() throws SQLException {
        Connection connection = database.connect();
        connection.setAutoCommit(false);
        return connection;
    }

    public static void stage(Connection connection, String topic, String key, String name) {
        DSL.using(connection, SQLDialect.POSTGRES)
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, ?, '{}')",
                        topic,
                        key,
                        name);
    }

    public void stage(String topic, String key, String name) {
        dsl().execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, ?, '{}')",
                        topic,
                        key,
                        name);
    }

    /** As {@link #stageUncheckedIn}, into lane 0. */
    public void stageUnchecked(String columns, Object... values) {
        stageUncheckedIn(0, columns, values);
    }

    /** Puts a row into a lane past the table's trigger, as its owner can. */
    public void stageUncheckedIn(int lane, String columns, Object... values) {
        dsl().execute("ALTER TABLE staged_jobs DISABLE TRIGGER staged_jobs_before_insert");
        dsl().execute(
                        "INSERT INTO staged_jobs (lane, " + columns + ") VALUES (" + lane + ", ?".repeat(values.length)
                                + ")",
                        values);
        dsl().execute("ALTER TABLE staged_jobs ENABLE ALWAYS TRIGGER staged_jobs_before_insert");
    }

    public long waiting() {
        return dsl().fetchSingle("SELECT count(*) FROM staged_jobs").get(0, long.class);
    }

    /** What was moved aside, as "name state: reason", in id order. */
    public List<String> aside() {
        return dsl().fetch("SELECT job_name || ' ' || state || ': ' || reason FROM parked_jobs ORDER BY id")
                .getValues(0, String.class);
    }

    public int laneOf(String topic, String key) {
        return dsl().fetchSingle(
                        "SELECT (hashtextextended(?::text COLLATE \"C\", hashtextextended(?::text COLLATE \"C\", 0))"
                                + " & 9223372036854775807) % (SELECT count(*) FROM staged_job_lanes)",
                        key, topic)
                .get(0, int.class);
    }

    /** Some key whose jobs of that topic are in that lane, none of the given ones. */
    public String keyOfLane(String topic, int lane, String... butNot) {
        return IntStream.range(0, 1000)
                .mapToObj(i -> "key " + i)
                .filter(key ->
                        laneOf(topic, key) == lane && !Arrays.asList(butNot).contains(key))
                .findFirst()
                .orElseThrow();
    }

    public List<ConsumerRecord<byte[], byte[]>> read(String... topics) {
        return kafka.readAll(Arrays.asList(topics));
    }

    /** The job names of a topic's records, partition by partition. */
    public List<String> namesIn(String topic) {
        return read(topic).stream().map(record -> header(record, "ce_type")).toList();
    }

    public static String header(ConsumerRecord<byte[], byte[]> record, String name) {
        return new String(record.headers().lastHeader(name).value(), UTF_8);
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
                new Shared(
                        limits,
                        PUBLISH_TIMEOUT,
                        pauses,
                        new CommitHorizon(lanes, nanoTime),
                        new HeldTopics(nanoTime),
                        new BackgroundThreads("read-ahead"),
                        nanoTime),
                new Observers(health, new Meters(new SimpleMeterRegistry(), () -> 0)),
                new Pace(new Pace.Intervals(Duration.ofMillis(2), lookMax), nanoTime, new Random()));
    }

    /** Closed with this outbox, the last one first. */
    public <T extends AutoCloseable> T keep(T resource) {
        opened.push(resource);
        return resource;
    }

    /** What of a kind is kept here, the last one first. */
    public <T> List<T> kept(Class<T> kind) {
        return opened.stream().filter(kind::isInstance).map(kind::cast).toList();
    }

    @Override
    public void close() throws Exception {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
    }
}
