package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.diagnosis.Work.Problem;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;
import java.sql.Connection;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Records;
import org.jooq.SQLDialect;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/** Reads the lanes for people. It counts no job. Uses one connection, from one thread. */
public final class LaneList {

    private final DSLContext dsl;
    private final Schema schema;
    private final Tables tables;

    /** Works on a connection in autocommit mode, which the caller must close. */
    public LaneList(Connection connection, Schema schema) {
        this.dsl = DSL.using(connection, SQLDialect.POSTGRES);
        this.schema = schema;
        this.tables = new Tables(schema);
    }

    /**
     * A lane.
     *
     * @param owner the name of the live enqueuer that owns it, null if there is none
     * @param batch the number of the newest settled batch, null if there is none: only {@code exactly-once} numbers
     *     batches
     * @param settledSecondsAgo when that was, null if there is none
     * @param halted why its owner moves no job of it until a person has looked; null unless it is halted
     */
    public record LaneState(
            int lane,
            @Nullable String owner,
            long generation,
            @Nullable Long batch,
            @Nullable Double settledSecondsAgo,
            @Nullable Problem halted) {}

    /**
     * All lanes in their order, as one moment has them.
     *
     * @param takeoverAfter the age of the last heartbeat at which an owner counts as gone
     * @param patience how long a statement may take, and how long it may wait for a lock
     */
    public List<LaneState> read(Duration takeoverAfter, Duration patience) {
        return Transactions.briefly(
                dsl,
                "read the lanes",
                "ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                patience,
                patience,
                look -> read(look, takeoverAfter));
    }

    private List<LaneState> read(DSLContext look, Duration takeoverAfter) {
        Map<String, List<Problem>> problems = StatusReader.problems(look, schema);
        Tables.Lanes lanes = tables.lanes;
        Tables.Enqueuers owners = tables.enqueuers;
        Tables.Batches batches = tables.batches;
        Field<Long> batch =
                DSL.field(DSL.select(DSL.max(batches.batch)).from(batches.table).where(batches.lane.eq(lanes.lane)));
        Field<OffsetDateTime> settledAt = DSL.field(
                DSL.select(DSL.max(batches.settledAt)).from(batches.table).where(batches.lane.eq(lanes.lane)));
        return look.select(
                        lanes.lane,
                        owners.name,
                        owners.enqueuer,
                        lanes.generation,
                        batch,
                        DSL.when(settledAt.isNotNull(), DatabaseClock.secondsSince(settledAt)))
                .from(lanes.table)
                .leftJoin(owners.table)
                .on(owners.enqueuer.eq(lanes.owner), owners.seenAt.ge(DatabaseClock.ago(takeoverAfter)))
                .orderBy(lanes.lane)
                .fetch(Records.mapping((lane, owner, enqueuer, generation, settled, secondsAgo) -> new LaneState(
                        lane,
                        owner,
                        generation,
                        settled,
                        secondsAgo,
                        StatusReader.halted(problems.getOrDefault(String.valueOf(enqueuer), List.of()), lane))));
    }
}
