package io.stagedjobs.faultkit;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.TestDatabase;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/** A database with the tables installed, and a broker: stages jobs and tells what became of them. */
@SuppressWarnings("try") // closing throws what a kept resource throws
public class TestOutbox implements AutoCloseable {

    public static final int LANES = Integer.getInteger("faults.lanes", 8);

    public final TestDatabase database;
    public final TestKafka kafka;
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();

    /** On the shared servers. */
    public TestOutbox(String prefix) {
        this(TestPostgres.shared(), TestKafka.shared(), prefix);
    }

    /** With {@link #LANES} lanes. */
    public TestOutbox(TestPostgres postgres, TestKafka kafka, String prefix) {
        this.database = postgres.newDatabase(prefix);
        this.kafka = kafka;
        try (Connection connection = database.connect()) {
            Schema.PUBLIC.migrate(connection);
            DSL.using(connection, SQLDialect.POSTGRES).transaction(transaction -> {
                Schema.PUBLIC.spread(transaction.dsl(), LANES);
                transaction
                        .dsl()
                        .execute("INSERT INTO staged_job_lanes (lane) SELECT generate_series(1, ?)", LANES - 1);
            });
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

    public static void stage(Connection connection, String topic, @Nullable String key, String name) {
        DSL.using(connection, SQLDialect.POSTGRES)
                .execute(
                        "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, ?, '{}')",
                        topic,
                        key,
                        name);
    }

    public void stage(String topic, @Nullable String key, String name) {
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
