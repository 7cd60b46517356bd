package io.stagedjobs.enqueuer;

import io.stagedjobs.enqueuer.LaneTransaction.Row;
import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.testkit.Eventually;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.stream.IntStream;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** The lanes of a real PostgreSQL keep the contract that the simulator's model keeps. */
class PostgresLanesTest implements LanesContract, LaneTransactionContract {

    private Outbox outbox;
    private PostgresLanes lanes;
    private PostgresLanes others;
    private UUID mine;
    /** The same in every database. */
    private static List<String> keys = List.of();

    @BeforeEach
    void open() {
        outbox = new Outbox("lanes");
        lanes = outbox.lanes();
        others = outbox.lanes();
        mine = lanes.membership().beat().me();
        others.membership().beat();
        outbox.dsl().execute("UPDATE staged_job_enqueuers SET seen_at = seen_at + interval '1 hour'");
        if (keys.isEmpty()) {
            keys = IntStream.range(0, 2_000)
                    .mapToObj(i -> "key " + i)
                    .filter(key -> outbox.laneOf(TOPIC, key) == LANE && outbox.laneOf(OTHER_TOPIC, key) == LANE)
                    .limit(2)
                    .toList();
        }
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    @Override
    public Lanes lanes() {
        return lanes;
    }

    @Override
    public Lanes others() {
        return others;
    }

    @Override
    public void dies() {
        outbox.dsl()
                .execute(
                        "UPDATE staged_job_enqueuers SET seen_at = seen_at - interval '2 hours' WHERE enqueuer = ?",
                        mine);
    }

    @Override
    public List<String> keys() {
        return keys;
    }

    @Override
    public String keyElsewhere() {
        return outbox.keyOfLane(TOPIC, OTHER_LANE);
    }

    @Override
    public Writer writer() {
        try {
            return new PostgresWriter(outbox.transaction());
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public <T> T whileItWaits(Callable<T> call, Runnable meanwhile) throws Exception {
        FutureTask<T> waiting = new FutureTask<>(call);
        CompletableFuture.runAsync(waiting);
        Eventually.until(
                "it waits for a lock",
                () -> outbox.dsl()
                                .fetchSingle("SELECT count(*) FROM pg_stat_activity"
                                        + " WHERE datname = current_database() AND wait_event_type = 'Lock'")
                                .get(0, int.class)
                        == 1);
        meanwhile.run();
        return waiting.get();
    }

    private record PostgresWriter(Connection connection) implements Writer {

        @Override
        public Row stage(String topic, String key, int payloadBytes) {
            if (key == null) {
                drawIdsUpToTheLane();
            }
            Record staged = DSL.using(connection, SQLDialect.POSTGRES)
                    .fetchSingle(
                            "INSERT INTO staged_jobs (topic, job_key, job_name, payload) VALUES (?, ?, 'job', ?)"
                                    + " RETURNING id, job_id",
                            topic,
                            key,
                            new byte[payloadBytes]);
            return new Row(staged.get(0, long.class), staged.get(1, UUID.class));
        }

        /** Without a key the id says which lane it is; the next one is to be right. */
        private void drawIdsUpToTheLane() {
            DSL.using(connection, SQLDialect.POSTGRES)
                    .execute(
                            "SELECT nextval('staged_jobs_id_seq') FROM generate_series(1,"
                                    + " (SELECT (? - 1 - last_value) & 7 FROM staged_jobs_id_seq))",
                            LANE);
        }

        @Override
        public void commit() {
            try {
                connection.commit();
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void close() {
            try {
                if (!connection.isClosed()) {
                    connection.rollback(); // the server is done with it, unlike after a connection's end
                }
                connection.close();
            } catch (SQLException e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
