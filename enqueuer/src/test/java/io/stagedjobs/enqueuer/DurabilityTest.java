package io.stagedjobs.enqueuer;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.enqueuer.postgres.PostgresLanes;
import io.stagedjobs.testkit.TestKafka;
import io.stagedjobs.testkit.TestPostgres;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Writers that commit with {@code synchronous_commit = off}: a crash of PostgreSQL can take back what others saw. */
class DurabilityTest {

    @Test
    void a_job_is_published_only_when_its_commit_has_reached_the_disk() throws Exception {
        // A log writer that sleeps as long as it may: nobody but us flushes what was committed.
        try (TestPostgres postgres =
                        TestPostgres.startEmbedded(Map.of("wal_writer_delay", "10s", "wal_writer_flush_after", "1GB"));
                Outbox outbox = new Outbox(postgres, TestKafka.shared(), "durable")) {
            PostgresLanes lanes = outbox.lanes();
            lanes.membership().beat();
            String topic = outbox.kafka.newTopic("durable", 1);
            List<Boolean> flushed = new ArrayList<>();
            try (Connection writer = outbox.transaction();
                    var statement = writer.createStatement()) {
                LaneRunner runner = outbox.runner(
                        outbox.laneOf(topic, "k"), lanes, new WatchedPublisher(outbox.publisher(Map.of())) {
                            @Override
                            void publishing(Batch batch) throws Exception {
                                var row = statement.executeQuery(
                                        "SELECT written <= pg_current_wal_flush_lsn() FROM end_of_log");
                                row.next();
                                flushed.add(row.getBoolean(1));
                            }
                        });
                statement.execute("CREATE TEMP TABLE end_of_log (written pg_lsn)");
                statement.execute("SET synchronous_commit = off");
                writer.commit();
                runner.runOnce(); // takes the lane, so that nothing but the batch itself is left to be flushed
                Outbox.stage(writer, topic, "k", "job");
                writer.commit();
                statement.execute("INSERT INTO end_of_log SELECT pg_current_wal_insert_lsn()");
                runner.runOnce();
            }
            assertThat(flushed).containsExactly(true);
            assertThat(outbox.namesIn(topic)).containsExactly("job");
        }
    }
}
