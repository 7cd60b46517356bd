package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;
import java.sql.Connection;
import org.jooq.DSLContext;
import org.jooq.RowCountQuery;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/**
 * The operator's pauses. Each method is one statement, committed by itself; enqueuers follow with their next heartbeat.
 */
public final class PausedTopics {

    private final DSLContext dsl;
    private final Tables.Pauses pauses;

    /** Works on a connection in autocommit mode, which the caller must close. */
    public PausedTopics(Connection connection, Schema schema) {
        this.dsl = DSL.using(connection, SQLDialect.POSTGRES);
        this.pauses = new Tables(schema).pauses;
    }

    /** @return false if it was already paused */
    public boolean pause(String topic) {
        return changed(
                "pause", dsl.insertInto(pauses.table).set(pauses.topic, topic).onConflictDoNothing());
    }

    /** @return false if it was not paused */
    public boolean resume(String topic) {
        return changed("resume", dsl.deleteFrom(pauses.table).where(pauses.topic.eq(topic)));
    }

    private static boolean changed(String what, RowCountQuery change) {
        return Transactions.asked(what, () -> change.execute() > 0);
    }
}
