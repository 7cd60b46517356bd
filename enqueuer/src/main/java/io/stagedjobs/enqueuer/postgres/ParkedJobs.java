package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.ExternalFailureException;
import io.stagedjobs.enqueuer.Refusal;
import io.stagedjobs.schema.Schema;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.SQLDialect;
import org.jooq.exception.DataAccessException;
import org.jooq.impl.DSL;
import org.jspecify.annotations.Nullable;

/**
 * The person's side of what was moved aside: look, requeue, discard. What changes rows does so lane by lane, each in a
 * transaction that holds the lane's lock and gives the lane a new generation, so that its owner begins again with what is
 * there then. It uses one connection, of one thread.
 */
public final class ParkedJobs {

    /**
     * Which jobs are meant; what is null or empty does not restrict.
     *
     * @param ids of staged jobs
     * @param state {@code held} or {@code parked}
     * @param key only together with a topic
     */
    public record Selection(
            List<Long> ids,
            @Nullable String state,
            @Nullable String topic,
            @Nullable String key) {

        private String condition(String alias) {
            StringBuilder sql = new StringBuilder("true");
            if (!ids.isEmpty()) {
                sql.append(" AND ").append(alias).append(".id = ANY (?::bigint[])");
            }
            if (state != null) {
                sql.append(" AND ").append(alias).append(".state = ?");
            }
            if (topic != null) {
                sql.append(" AND ").append(alias).append(".topic = ?");
            }
            if (key != null) {
                sql.append(" AND ").append(alias).append(".job_key = ?");
            }
            return sql.toString();
        }

        private List<Object> bindings() {
            List<Object> bindings = new ArrayList<>();
            if (!ids.isEmpty()) {
                bindings.add(ids.toArray(new Long[0]));
            }
            Collections.addAll(bindings, nonNull(state, topic, key));
            return bindings;
        }

        private static Object[] nonNull(@Nullable String... values) {
            return Arrays.stream(values).filter(Objects::nonNull).toArray();
        }
    }

    /** A job that was moved aside, without its payload. */
    public record Entry(
            long id,
            String jobId,
            String state,
            String reason,
            @Nullable String error,
            String topic,
            @Nullable String key,
            String name,
            @Nullable String headers,
            @Nullable Integer payloadBytes,
            String stagedAt,
            String parkedAt,
            double parkedSecondsAgo) {}

    /**
     * What a change did.
     *
     * @param requeued jobs that are staged again
     * @param discarded jobs that are gone
     * @param held of the discarded ones, those that would have returned by themselves
     * @param followed of the requeued ones, those that were not chosen: they only followed one that was
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

    private static final String OWN_FAULT = "reason <> '" + Refusal.Reason.FOLLOWS.label() + "'";

    /** That q is an earlier parked job of p's key, and there through its own fault. */
    private static final String EARLIER = Statements.earlierParked("q", "p") + " AND q." + OWN_FAULT;

    private final DSLContext dsl;
    private final String parked;
    private final String jobs;
    private final String lanes;

    /** Works on a connection in autocommit mode, which stays the caller's to close. */
    public ParkedJobs(Connection connection, Schema schema) {
        this.dsl = DSL.using(connection, SQLDialect.POSTGRES);
        this.parked = schema.qualified("parked_jobs");
        this.jobs = schema.qualified("staged_jobs");
        this.lanes = schema.qualified("staged_job_lanes");
    }

    /** How many there are. */
    public long count(Selection selection) {
        return Transactions.asked("count jobs moved aside", () -> dsl.fetchSingle(
                        "SELECT count(*) FROM " + parked + " AS p WHERE " + selection.condition("p"),
                        selection.bindings().toArray())
                .get(0, long.class));
    }

    /** The first of them, in id order. */
    public List<Entry> list(Selection selection, int limit) {
        List<Object> bindings = selection.bindings();
        bindings.add(limit);
        return Transactions.asked("read jobs moved aside", () -> dsl.fetch(
                        "SELECT id, job_id, state, reason, error, topic, job_key, job_name, headers::text,"
                                + " octet_length(payload), " + Statements.written("staged_at") + ", "
                                + Statements.written("parked_at") + ", " + Statements.secondsSince("parked_at")
                                + " FROM " + parked + " AS p WHERE "
                                + selection.condition("p") + " ORDER BY id LIMIT ?",
                        bindings.toArray())
                .map(ParkedJobs::entry));
    }

    /** The payload of one of them; empty if the job is not there or is a tombstone. */
    public Optional<byte[]> payload(long id) {
        return Transactions.asked(
                "read a payload", () -> dsl.fetchOptional("SELECT payload FROM " + parked + " WHERE id = ?", id)
                        .map(row -> row.get(0, byte[].class)));
    }

    /** What {@link #requeue} would do now. Reads only, and waits for nobody. */
    public Change wouldRequeue(Selection selection) {
        Record counts = counted(selection);
        int requeued = counts.get(1, int.class);
        int followed = counts.get(2, int.class);
        return new Change(requeued + followed, 0, 0, followed, counts.get(0, int.class) - requeued);
    }

    /** What {@link #discard} would do now. Reads only, and waits for nobody. */
    public Change wouldDiscard(Selection selection) {
        Record counts = counted(selection);
        int followed = counts.get(2, int.class);
        return new Change(followed, counts.get(4, int.class), counts.get(3, int.class), followed, 0);
    }

    /**
     * How many parked jobs are chosen; how many of them follow nothing that stays; how many that are not chosen follow
     * nothing that stays; how many held jobs are chosen; how many of either kind. Index parked_jobs_key, one probe a parked job
     * of the lanes concerned.
     */
    private Record counted(Selection selection) {
        String chosen = "(" + selection.condition("p") + ") IS TRUE";
        List<Object> bindings = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            bindings.addAll(selection.bindings());
        }
        return Transactions.asked(
                "count jobs moved aside",
                () -> dsl.fetchSingle(
                        "SELECT count(*) FILTER (WHERE chosen AND parked), count(*) FILTER (WHERE chosen AND free),"
                                + " count(*) FILTER (WHERE NOT chosen AND follows AND free), count(*) FILTER (WHERE chosen AND NOT parked),"
                                + " count(*) FILTER (WHERE chosen) FROM (SELECT " + chosen
                                + " AS chosen, p.state = 'parked' AS parked,"
                                + " NOT (p." + OWN_FAULT
                                + ") AS follows, p.state = 'parked' AND NOT EXISTS (SELECT FROM " + parked
                                + " AS q WHERE " + EARLIER + " AND NOT (" + selection.condition("q")
                                + ")) AS free FROM " + parked
                                + " AS p WHERE p.lane IN (SELECT p.lane FROM " + parked + " AS p WHERE "
                                + selection.condition("p") + ")) AS counted",
                        bindings.toArray()));
    }

    /**
     * Stages parked jobs again, with id, identity and time as they were, and with them what only followed them. A job stays
     * if an earlier one of its key stays.
     */
    public Change requeue(Selection selection) {
        return laneByLane("requeue", selection, (transaction, lane) -> {
            int chosen = count(transaction, selection, lane, "parked");
            List<Object> bindings = new ArrayList<>(List.of(lane));
            bindings.addAll(selection.bindings());
            bindings.addAll(selection.bindings());
            int requeued = transaction.execute(
                    back("p.lane = ? AND p.state = 'parked' AND " + selection.condition("p")
                            + " AND NOT EXISTS (SELECT FROM " + parked + " AS q WHERE " + EARLIER
                            + " AND NOT (" + selection.condition("q") + "))"),
                    bindings.toArray());
            int followed = orphans(transaction, lane);
            return new Change(requeued + followed, 0, 0, followed, chosen - requeued);
        });
    }

    /** Deletes jobs that were moved aside. Parked jobs that only followed them are staged again. */
    public Change discard(Selection selection) {
        return laneByLane("discard", selection, (transaction, lane) -> {
            List<Object> bindings = new ArrayList<>(List.of(lane));
            bindings.addAll(selection.bindings());
            int held = count(transaction, selection, lane, "held");
            int discarded = transaction.execute(
                    "DELETE FROM " + parked + " AS p WHERE p.lane = ? AND " + selection.condition("p"),
                    bindings.toArray());
            int followed = orphans(transaction, lane);
            return new Change(followed, discarded, held, followed, 0);
        });
    }

    private int count(DSLContext transaction, Selection selection, int lane, String state) {
        List<Object> bindings = new ArrayList<>(List.of(lane, state));
        bindings.addAll(selection.bindings());
        return transaction
                .fetchSingle(
                        "SELECT count(*) FROM " + parked + " AS p WHERE p.lane = ? AND p.state = ? AND "
                                + selection.condition("p"),
                        bindings.toArray())
                .get(0, int.class);
    }

    /** Stages again what follows nothing any more. */
    private int orphans(DSLContext transaction, int lane) {
        return transaction.execute(
                back("p.lane = ? AND p.state = 'parked' AND NOT p." + OWN_FAULT + " AND NOT EXISTS (SELECT FROM "
                        + parked + " AS q WHERE " + EARLIER + ")"),
                lane);
    }

    private String back(String condition) {
        return "WITH gone AS (DELETE FROM " + parked + " AS p WHERE " + condition + " RETURNING p.*) INSERT INTO "
                + jobs + " (" + Statements.JOB_COLUMNS + ") OVERRIDING SYSTEM VALUE SELECT " + Statements.JOB_COLUMNS
                + " FROM gone ORDER BY id";
    }

    private interface Step {
        Change in(DSLContext transaction, int lane);
    }

    private Change laneByLane(String verb, Selection selection, Step step) {
        try {
            List<Integer> concerned = dsl.fetch(
                            "SELECT DISTINCT p.lane FROM " + parked + " AS p WHERE " + selection.condition("p")
                                    + " ORDER BY 1",
                            selection.bindings().toArray())
                    .getValues(0, Integer.class);
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
            transaction.execute("SET LOCAL lock_timeout = '30s'"); // a batch of the owner may be open
            transaction.execute("SELECT FROM " + lanes + " WHERE lane = ? FOR NO KEY UPDATE", lane);
            Change change = step.in(transaction, lane);
            transaction.execute("UPDATE " + lanes + " SET generation = generation + 1 WHERE lane = ?", lane);
            return change;
        });
    }

    private static Entry entry(Record row) {
        return new Entry(
                row.get(0, long.class),
                row.get(1, String.class),
                row.get(2, String.class),
                row.get(3, String.class),
                row.get(4, String.class),
                row.get(5, String.class),
                row.get(6, String.class),
                row.get(7, String.class),
                row.get(8, String.class),
                row.get(9, Integer.class),
                row.get(10, String.class),
                row.get(11, String.class),
                row.get(12, double.class));
    }
}
