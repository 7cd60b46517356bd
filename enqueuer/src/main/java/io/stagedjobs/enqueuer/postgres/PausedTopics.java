package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;
import java.sql.Connection;
import java.util.function.Function;
import org.jooq.DSLContext;
import org.jooq.RowCountQuery;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;

/**
 * The operator's pauses. Each method is one short transaction, which waits for a lock no longer than
 * {@link StatusReader#LOCKED_MAX}; enqueuers follow with their next heartbeat.
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
                "pause",
                brief -> brief.insertInto(pauses.table).set(pauses.topic, topic).onConflictDoNothing());
    }

    /** @return false if it was not paused */
    public boolean resume(String topic) {
        return changed("resume", brief -> brief.deleteFrom(pauses.table).where(pauses.topic.eq(topic)));
    }

    private boolean changed(String what, Function<DSLContext, RowCountQuery> change) {
        return Transactions.briefly(
                dsl,
                what,
                "READ WRITE",
                StatusReader.LOCKED_MAX,
                StatusReader.LOCKED_MAX,
                brief -> change.apply(brief).execute() > 0);
    }
}
