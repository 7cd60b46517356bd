package io.stagedjobs.enqueuer.postgres;

import static org.assertj.core.api.Assertions.assertThat;

import io.stagedjobs.StagedJob;
import io.stagedjobs.UnitOfWork;
import io.stagedjobs.WakeUp;
import io.stagedjobs.enqueuer.Outbox;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.testkit.Eventually;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class WakeUpListenerTest {

    private static final String SESSIONS =
            " FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()";

    private final Outbox outbox = new Outbox("listener");
    private final AtomicInteger signals = new AtomicInteger();

    @BeforeEach
    void listen() throws Exception {
        Database database = new Database(
                outbox.database.url(),
                Optional.of(outbox.database.username()),
                () -> Optional.of(outbox.database.password()));
        outbox.keep(new WakeUpListener(database, Schema.PUBLIC, signals::incrementAndGet))
                .start();
        Eventually.until("it listens", () -> signals.get() == 1);
    }

    @AfterEach
    void close() throws Exception {
        outbox.close();
    }

    @Test
    void a_commit_that_is_signalled_is_heard() throws Exception {
        try (WakeUp wakeUp = WakeUp.on(outbox.database.dataSource())) {
            UnitOfWork.on(outbox.database.dataSource())
                    .waking(wakeUp)
                    .run(work -> work.stage(
                            StagedJob.builder("orders", "order.created").build()));
            Eventually.until("it is heard", () -> signals.get() == 2);
        }
    }

    @Test
    void signals_for_another_schema_are_not_ours() throws Exception {
        outbox.dsl().execute("NOTIFY staged_jobs, 'another'");
        outbox.dsl().execute("NOTIFY staged_jobs, 'public'");
        Eventually.until("ours is heard", () -> signals.get() > 1);
        assertThat(signals).hasValue(2);
    }

    @Test
    void a_session_that_was_ended_is_replaced_and_what_was_missed_is_looked_for() throws Exception {
        outbox.dsl().execute("SELECT pg_terminate_backend(pid)" + SESSIONS);
        Eventually.until("it listens again", () -> signals.get() == 2);
        outbox.dsl().execute("NOTIFY staged_jobs, 'public'");
        Eventually.until("it hears again", () -> signals.get() == 3);
    }

    @Test
    void closing_ends_its_session() throws Exception {
        outbox.close();
        Eventually.until(
                "no session listens",
                () -> outbox.dsl().fetch("SELECT pid" + SESSIONS).isEmpty());
    }
}
