package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import org.jooq.DSLContext;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/** What an operator has paused. Each method is one statement, committed by itself; enqueuers follow with their next heartbeat. */
public final class PausedTopics {

    private final DSLContext dsl;
    private final String pauses;

    /** Works on a connection in autocommit mode, which stays the caller's to close. */
    public PausedTopics(Connection connection, Schema schema) {
        this.dsl = DSL.using(connection, SQLDialect.POSTGRES);
        this.pauses = schema.qualified("staged_job_pauses");
    }

    /** @return false if it was paused already */
    public boolean pause(String topic) {
        return changed("pause", "INSERT INTO " + pauses + " (topic) VALUES (?) ON CONFLICT DO NOTHING", topic);
    }

    /** @return false if it was not paused */
    public boolean resume(String topic) {
        return changed("resume", "DELETE FROM " + pauses + " WHERE topic = ?", topic);
    }

    private boolean changed(String what, String statement, String topic) {
        return Transactions.asked(what, () -> dsl.execute(statement, topic) > 0);
    }
}
