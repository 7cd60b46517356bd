package io.stagedjobs.enqueuer.postgres;

import static org.jooq.impl.SQLDataType.BIGINT;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Refusal;
import io.stagedjobs.enqueuer.postgres.ParkedJobs.Selection;
import io.stagedjobs.schema.Schema;
import io.stagedjobs.schema.Tables;
import java.sql.Connection;
import java.util.List;
import org.jooq.Condition;
import org.jooq.DSLContext;
import org.jooq.Field;
import org.jooq.Records;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;

/**
 * An operator's changes of the jobs that were moved aside: requeue and discard. They run lane by lane. Each transaction
 * holds the lane's lock and gives the lane a new generation, so that its owner begins again with the new state. Uses
 * one connection, from one thread.
 */
public final class ParkedChanges {

    /**
     * The result of a change.
     *
     * @param requeued jobs that are staged again
     * @param discarded jobs that are gone
     * @param held those of the discarded ones that would have returned by themselves
     * @param followed those of the requeued ones that were not chosen: they only followed a chosen one
     * @param kept chosen jobs that stay, because an earlier job of their key stays
     */
    public record Change(int requeued, int discarded, int held, int followed, int kept) {

        private static final Change NONE = new Change(0, 0, 0, 0, 0);

        private Change plus(Change other) {
            return new Change(
                    requeued + other.requeued,
                    discarded + other.discarded,
                    held + other.held,
                    followed + other.followed,
                    kept + other.kept);
        }
    }

    private final DSLContext dsl;
    private final Tables.Jobs staged;
    private final Tables.Parked parked;
    private final Tables.Parked earlier;
    private final Tables.Lanes lanes;

    /** Works on a connection in autocommit mode, which the caller must close. */
    public ParkedChanges(Connection connection, Schema schema) {
        Tables tables = new Tables(schema);
        this.dsl = DSL.using(connection, SQLDialect.POSTGRES);
        this.staged = tables.stagedJobs;
        this.parked = tables.parkedJobs.as("parked");
        this.earlier = tables.parkedJobs.as("earlier");
        this.lanes = tables.lanes;
    }

    /** The result that {@link #requeue} would have now. Only reads, and waits for nobody. */
    public Change wouldRequeue(Selection selection) {
        Counted counted = counted(selection);
        return new Change(counted.free + counted.following, 0, 0, counted.following, counted.parked - counted.free);
    }

    /** The result that {@link #discard} would have now. Only reads, and waits for nobody. */
    public Change wouldDiscard(Selection selection) {
        Counted counted = counted(selection);
        return new Change(counted.following, counted.parked + counted.held, counted.held, counted.following, 0);
    }

    /**
     * The effect of a selection.
     *
     * @param parked chosen parked jobs
     * @param free those of them that follow no job that stays
     * @param following jobs that are not chosen, only follow others, and follow no job that stays
     * @param held chosen held jobs
     */
    private record Counted(int parked, int free, int following, int held) {}

    /** Index parked_jobs_key, one probe per parked job of the affected lanes. */
    private Counted counted(Selection selection) {
        // For a job without a key this comparison is unknown, which counts as false.
        Condition chosen = DSL.condition(DSL.coalesce(DSL.field(selection.in(parked)), DSL.inline(false)));
        Condition free = isParked(parked).andNot(followsOther(selection));
        return Transactions.asked("count jobs moved aside", () -> dsl.select(
                        DSL.count().filterWhere(chosen.and(isParked(parked))),
                        DSL.count().filterWhere(chosen.and(free)),
                        DSL.count()
                                .filterWhere(
                                        DSL.not(chosen).andNot(ownFault(parked)).and(free)),
                        DSL.count().filterWhere(chosen.andNot(isParked(parked))))
                .from(parked.table)
                .where(parked.lane.in(
                        DSL.select(earlier.lane).from(earlier.table).where(selection.in(earlier))))
                .fetchSingle(Records.mapping(Counted::new)));
    }

    private static Condition isParked(Tables.Parked jobs) {
        return jobs.state.eq(DSL.inline("parked"));
    }

    private static Condition ownFault(Tables.Parked jobs) {
        return jobs.reason.ne(DSL.inline(Refusal.Reason.FOLLOWS.label()));
    }

    /**
     * Whether an earlier job of the key is parked for a reason of its own: index parked_jobs_key. False without a key.
     */
    private Condition follows(Condition further) {
        return DSL.exists(DSL.selectOne()
                .from(earlier.table)
                .where(
                        earlier.lane.eq(parked.lane),
                        earlier.topic.eq(parked.topic),
                        earlier.jobKey.eq(parked.jobKey),
                        hash(earlier.jobKey).eq(hash(parked.jobKey)),
                        isParked(earlier),
                        earlier.id.lt(parked.id),
                        ownFault(earlier),
                        further));
    }

    /** Whether it follows a job that is not chosen. */
    private Condition followsOther(Selection selection) {
        return follows(DSL.not(selection.in(earlier)));
    }

    private static Field<Long> hash(Field<String> key) {
        return DSL.field("hashtextextended({0} COLLATE \"C\", 0)", BIGINT, key);
    }

    /**
     * Stages parked jobs again, with unchanged id, identity and time, and also the jobs that only followed them. A job
     * stays if an earlier one of its key stays.
     */
    public Change requeue(Selection selection) {
        return laneByLane("requeue", selection, (transaction, lane) -> {
            Condition chosen = lane.and(isParked(parked)).and(selection.in(parked));
            int all = transaction.fetchCount(parked.table, chosen);
            int requeued = putBack(transaction, chosen.andNot(followsOther(selection)));
            int followed = putBackFollowers(transaction, lane);
            return new Change(requeued + followed, 0, 0, followed, all - requeued);
        });
    }

    /** Deletes jobs that were moved aside, and stages parked jobs again that only followed them. */
    public Change discard(Selection selection) {
        return laneByLane("discard", selection, (transaction, lane) -> {
            Condition chosen = lane.and(selection.in(parked));
            int held = transaction.fetchCount(parked.table, chosen.andNot(isParked(parked)));
            int discarded = transaction.deleteFrom(parked.table).where(chosen).execute();
            int followed = putBackFollowers(transaction, lane);
            return new Change(followed, discarded, held, followed, 0);
        });
    }

    /** Stages jobs again that no longer follow any job. */
    private int putBackFollowers(DSLContext transaction, Condition lane) {
        return putBack(
                transaction, lane.and(isParked(parked)).andNot(ownFault(parked)).andNot(follows(DSL.trueCondition())));
    }

    private int putBack(DSLContext transaction, Condition jobs) {
        List<Field<?>> moved = parked.columns().stream()
                .filter(column ->
                        staged.columns().stream().anyMatch(job -> job.getName().equals(column.getName())))
                .toList();
        // jOOQ's language has no OVERRIDING SYSTEM VALUE.
        return transaction.execute(
                "WITH gone AS ({0}) INSERT INTO {1} ({2}) OVERRIDING SYSTEM VALUE SELECT {2} FROM gone ORDER BY id",
                transaction.deleteFrom(parked.table).where(jobs).returning(moved),
                staged.table,
                DSL.list(moved.stream().map(Field::getUnqualifiedName).toList()));
    }

    private interface Step {
        Change in(DSLContext transaction, Condition lane);
    }

    private Change laneByLane(String verb, Selection selection, Step step) {
        try {
            List<Integer> concerned = dsl.selectDistinct(parked.lane)
                    .from(parked.table)
                    .where(selection.in(parked))
                    .orderBy(parked.lane)
                    .fetch(parked.lane);
            Change change = Change.NONE;
            for (int lane : concerned) {
                change = change.plus(inLane(lane, step));
            }
            return change;
        } catch (DataAccessException e) {
            ExternalFailureException outside = Transactions.outside(verb + " jobs", e);
            throw new ExternalFailureException(
                    outside.origin(), outside.getMessage() + ". What was done in other lanes before stays done.", e);
        }
    }

    private Change inLane(int lane, Step step) {
        return dsl.transactionResult(configuration -> {
            DSLContext transaction = configuration.dsl();
            transaction.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE");
            transaction.execute("SET LOCAL synchronous_commit = on");
            transaction.execute("SET LOCAL lock_timeout = '30s'"); // the owner may have a batch open
            transaction
                    .selectOne()
                    .from(lanes.table)
                    .where(lanes.lane.eq(lane))
                    .forNoKeyUpdate()
                    .execute();
            Change change = step.in(transaction, parked.lane.eq(lane));
            transaction
                    .update(lanes.table)
                    .set(lanes.generation, lanes.generation.plus(1))
                    .where(lanes.lane.eq(lane))
                    .execute();
            return change;
        });
    }
}
