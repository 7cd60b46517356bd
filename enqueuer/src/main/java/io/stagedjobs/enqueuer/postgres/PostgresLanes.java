package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.Batch;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Lanes;
import io.stagedjobs.enqueuer.Outcome;
import io.stagedjobs.enqueuer.OutsideException;
import io.stagedjobs.enqueuer.Progress;
import io.stagedjobs.enqueuer.Progress.JobRef;
import io.stagedjobs.enqueuer.Reconciliation;
import io.stagedjobs.enqueuer.Reconciliation.Agreed;
import io.stagedjobs.enqueuer.Reconciliation.NotOurs;
import io.stagedjobs.schema.Schema;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import javax.sql.DataSource;
import org.jooq.DSLContext;
import org.jooq.Record;
import org.jooq.exception.DataAccessException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The lanes in PostgreSQL. Above each statement: the index it needs and the rows it locks. */
public final class PostgresLanes implements Lanes {

    private static final Logger log = LoggerFactory.getLogger(PostgresLanes.class);

    /** Up to here the backlog is counted, beyond it PostgreSQL's estimate has to do. */
    private static final int BACKLOG_COUNTED_MAX = 100_000;

    /**
     * Who this enqueuer is.
     *
     * @param id a new one for each start
     * @param name for people, for example host and process id
     * @param delivery the delivery mode, as it is configured
     * @param deployment under which Kafka knew this database when the enqueuer started
     */
    public record Identity(UUID id, String name, String delivery, String deployment) {}

    private final Transactions transactions;
    private final Statements sql;
    private final Identity identity;
    private final Duration takeoverAfter;

    /**
     * Works on connections of a pool.
     *
     * @param takeoverAfter an enqueuer whose row is older than this lives no more
     * @param publishTimeout how long a claimed batch may wait for Kafka
     */
    public PostgresLanes(
            DataSource dataSource, Schema schema, Identity identity, Duration takeoverAfter, Duration publishTimeout) {
        this.transactions = new Transactions(dataSource, identity.id, publishTimeout);
        this.sql = new Statements(schema);
        this.identity = identity;
        this.takeoverAfter = takeoverAfter;
    }

    @Override
    public Census beat() {
        return transactions.call("renew the heartbeat", dsl -> {
            if (!dsl.fetchSingle(sql.sameDeployment, identity.deployment).get(0, boolean.class)) {
                throw new OutsideException(
                        OutsideException.Side.POSTGRESQL,
                        "the delivery mode was changed or chosen anew while this enqueuer was running; it takes no lane"
                                + " any more and has to be started again",
                        null);
            }
            dsl.execute(sql.renew, identity.id, identity.name, identity.delivery);
            dsl.execute(sql.forgetDead, takeoverAfter.toMillis());
            List<UUID> enqueuers =
                    dsl.fetch(sql.living, takeoverAfter.toMillis()).getValues(0, UUID.class);
            List<@Nullable UUID> owners = dsl.fetch(sql.owners).getValues(0, UUID.class);
            owners.replaceAll(owner -> owner != null && enqueuers.contains(owner) ? owner : null);
            return new Census(identity.id, owners, enqueuers);
        });
    }

    @Override
    public OptionalLong take(int lane) {
        return transactions.call("take lane " + lane, dsl -> {
            int ended = dsl.fetch(sql.endDeadOwner, lane, identity.id, takeoverAfter.toMillis())
                    .size();
            if (ended > 0) {
                log.warn(
                        "lane {}: ended {} open transaction(s) of its owner, which shows no sign of life", lane, ended);
            }
            Record taken = dsl.fetchOne(
                    sql.take, identity.id, lane, identity.id, takeoverAfter.toMillis(), identity.deployment);
            return taken == null ? OptionalLong.empty() : OptionalLong.of(taken.get(0, long.class));
        });
    }

    @Override
    public void giveBack(int lane, long generation) {
        transactions.call("give back lane " + lane, dsl -> dsl.execute(sql.giveBack, lane, generation, identity.id));
    }

    @Override
    public Reconciliation compare(int lane, long generation, Progress progress) {
        return transactions.call(
                "compare lane " + lane + " with Kafka", dsl -> compare(dsl, lane, generation, progress));
    }

    @Override
    public Reconciliation reconcile(int lane, long generation, Progress progress) {
        return transactions.call("reconcile lane " + lane, dsl -> {
            Reconciliation result = compare(dsl, lane, generation, progress);
            if (result instanceof Agreed && progress.batch() > settled(dsl, lane)) {
                int deleted = delete(dsl, lane, present(dsl, lane, progress)).deleted();
                record(dsl, lane, progress.batch());
                log.info(
                        "lane {}: batch {} was in Kafka already; {} of its {} jobs were still here and are deleted now",
                        lane,
                        progress.batch(),
                        deleted,
                        progress.jobs().size());
            }
            return result;
        });
    }

    private Reconciliation compare(DSLContext dsl, int lane, long generation, Progress progress) {
        if (!lock(dsl, lane, generation)) {
            return new NotOurs();
        }
        Map<Long, Long> digests = new HashMap<>();
        present(dsl, lane, progress).forEach(row -> digests.put(row.id, JobRef.digest(row.jobId)));
        return Reconciliation.compare(settled(dsl, lane), progress, digests);
    }

    private long settled(DSLContext dsl, int lane) {
        return dsl.fetchSingle(sql.settled, lane).get(0, long.class);
    }

    private List<RowRef> present(DSLContext dsl, int lane, Progress progress) {
        return dsl.fetch(sql.present, progress.jobs().stream().map(JobRef::id).toArray(Long[]::new), lane)
                .map(row -> new RowRef(row.get(0, long.class), row.get(1, UUID.class)));
    }

    private void record(DSLContext dsl, int lane, long batch) {
        dsl.execute(sql.recordBatch, lane, batch);
        dsl.execute(sql.forgetBatches, lane, batch);
    }

    /** A row by its position and its identity. */
    private record RowRef(long id, UUID jobId) {}

    @Override
    public boolean anyWaiting(int lane, Set<String> heldTopics) {
        return transactions.call(
                "look at lane " + lane, dsl -> dsl.fetchSingle(sql.anyWaiting, lane, heldTopics.toArray(new String[0]))
                        .get(0, boolean.class));
    }

    @Override
    public Optional<Batch> claim(Turn turn, BatchLimits limits, Set<String> heldTopics) {
        Transactions.Open transaction = transactions.begin();
        try {
            if (!lock(transaction.dsl(), turn.lane(), turn.generation())) {
                transaction.close();
                return Optional.empty();
            }
            Batch batch = read(transaction, turn, limits, heldTopics);
            if (!batch.jobs().isEmpty()) {
                flushLog(transaction.dsl());
            }
            return Optional.of(batch);
        } catch (RuntimeException e) {
            transaction.close();
            throw e instanceof DataAccessException sql
                    ? Transactions.outside("claim a batch of lane " + turn.lane(), sql)
                    : e;
        }
    }

    /** A statement of its own before the rows are read: what waited for the lock must not fix the snapshot. */
    private boolean lock(DSLContext dsl, int lane, long generation) {
        Record found = dsl.fetchOne(sql.lock, lane);
        return found != null && found.get(0, long.class) == generation;
    }

    /**
     * A writer that commits with synchronous_commit = off shows rows before its commit is on disk, and a crash would take
     * them back after Kafka has them. A commit of our own, with something to write, puts the log on disk up to here.
     */
    private void flushLog(DSLContext dsl) {
        if (!dsl.fetchSingle(sql.logFlushed).get(0, boolean.class)) {
            transactions.call("flush the log", other -> other.execute(sql.writeToLog));
        }
    }

    private Batch read(Transactions.Open transaction, Turn turn, BatchLimits limits, Set<String> heldTopics) {
        List<Job> jobs = new ArrayList<>();
        long bytes = 0;
        for (Record row : transaction
                .dsl()
                .fetch(sql.read, turn.lane(), heldTopics.toArray(new String[0]), limits.rowsMax(), limits.bytesMax())) {
            jobs.add(new Job(
                    row.get(0, long.class),
                    row.get(1, UUID.class),
                    row.get(2, String.class),
                    row.get(3, String.class),
                    row.get(4, String.class),
                    row.get(5, byte[].class),
                    row.get(6, String.class),
                    row.get(7, OffsetDateTime.class).toInstant()));
            bytes = row.get(8, long.class);
        }
        boolean full = jobs.size() == limits.rowsMax() || bytes >= limits.bytesMax();
        return new ClaimedBatch(transaction, turn, jobs, full);
    }

    @Override
    public Backlog backlog() {
        return transactions.call("measure the backlog", dsl -> {
            long counted =
                    dsl.fetchSingle(sql.countBounded, BACKLOG_COUNTED_MAX).get(0, long.class);
            long jobs = counted < BACKLOG_COUNTED_MAX
                    ? counted
                    : Math.max(counted, dsl.fetchSingle(sql.countEstimated).get(0, long.class));
            double seconds = dsl.fetchSingle(sql.oldestAge).get(0, double.class);
            return new Backlog(jobs, Duration.ofMillis((long) (seconds * 1000)));
        });
    }

    @Override
    public void leave() {
        transactions.call("leave", dsl -> {
            dsl.execute(sql.giveBackAll, identity.id);
            return dsl.execute(sql.forgetMe, identity.id);
        });
    }

    private Batch.Settlement delete(DSLContext dsl, int lane, List<RowRef> jobs) {
        Record result = dsl.fetchSingle(
                sql.delete,
                jobs.stream().map(RowRef::id).toArray(Long[]::new),
                jobs.stream().map(RowRef::jobId).toArray(UUID[]::new),
                lane);
        return new Batch.Settlement(
                result.get(0, int.class), result.get(1, OffsetDateTime.class).toInstant());
    }

    /** A batch and the transaction that read it. */
    private final class ClaimedBatch implements Batch {
        private final Transactions.Open transaction;
        private final Turn turn;
        private final List<Job> jobs;
        private final boolean full;

        ClaimedBatch(Transactions.Open transaction, Turn turn, List<Job> jobs, boolean full) {
            this.transaction = transaction;
            this.turn = turn;
            this.jobs = jobs;
            this.full = full;
        }

        @Override
        public long number() {
            return turn.number();
        }

        @Override
        public List<Job> jobs() {
            return jobs;
        }

        @Override
        public boolean full() {
            return full;
        }

        @Override
        public Settlement settle(Outcome outcome) {
            List<RowRef> published = outcome.published().stream()
                    .map(job -> new RowRef(job.id(), job.jobId()))
                    .toList();
            int lane = turn.lane();
            try {
                Settlement settlement = delete(transaction.dsl(), lane, published);
                if (turn.number() != Turn.UNCOUNTED) {
                    record(transaction.dsl(), lane, turn.number());
                }
                transaction.commit();
                if (settlement.deleted() < published.size()) {
                    log.warn(
                            "lane {}: {} of {} published jobs were deleted by somebody else meanwhile",
                            lane,
                            published.size() - settlement.deleted(),
                            published.size());
                }
                return settlement;
            } catch (DataAccessException e) {
                throw Transactions.outside("delete " + published.size() + " published jobs of lane " + lane, e);
            }
        }

        @Override
        public void close() {
            transaction.close();
        }
    }

    /** The statements, with the schema's name in them. Times are compared by the database's clock only. */
    private static final class Statements {
        final String sameDeployment;
        final String renew;
        final String forgetDead;
        final String living;
        final String owners;
        final String endDeadOwner;
        final String take;
        final String giveBack;
        final String giveBackAll;
        final String forgetMe;
        final String lock;
        final String anyWaiting;
        final String read;
        final String logFlushed;
        final String writeToLog;
        final String delete;
        final String settled;
        final String present;
        final String recordBatch;
        final String forgetBatches;
        final String countBounded;
        final String countEstimated;
        final String oldestAge;

        Statements(Schema schema) {
            String jobs = schema.qualified("staged_jobs");
            String lanes = schema.qualified("staged_job_lanes");
            String batches = schema.qualified("staged_job_batches");
            String enqueuers = schema.qualified("staged_job_enqueuers");
            String aliveFor = "clock_timestamp() - ? * interval '1 ms'";

            // spotless:off
            // One row, changed by Deployment.change only: a process of the time before must take no lane.
            sameDeployment = "SELECT deployment::text LIKE ? || '%' FROM " + schema.qualified("staged_job_delivery");
            // Small tables, primary key; locks the row written.
            renew = "INSERT INTO " + enqueuers + " AS e (enqueuer, name, delivery) VALUES (?, ?, ?)"
                    + " ON CONFLICT (enqueuer) DO UPDATE SET seen_at = clock_timestamp()";
            // Long after anybody could have counted them among the living.
            forgetDead = "DELETE FROM " + enqueuers + " WHERE seen_at < clock_timestamp() - ? * interval '100 ms'";
            living = "SELECT enqueuer FROM " + enqueuers + " WHERE seen_at >= " + aliveFor + " ORDER BY enqueuer";
            owners = "SELECT owner FROM " + lanes + " ORDER BY lane";

            // A stopped process keeps its transaction open and the lane locked; PostgreSQL itself may not notice, since such a
            // process answers keepalives, and in mid-fetch its backend counts as active. Locks nothing.
            endDeadOwner = "SELECT pg_terminate_backend(a.pid, 2000) FROM pg_stat_activity AS a"
                    + " WHERE a.datname = current_database() AND a.usename = current_user AND a.pid <> pg_backend_pid()"
                    + " AND a.application_name = (SELECT '" + Transactions.APPLICATION_NAME_PREFIX + "' || l.owner FROM "
                    + lanes + " AS l WHERE l.lane = ? AND l.owner <> ? AND NOT EXISTS (SELECT FROM " + enqueuers
                    + " AS e WHERE e.enqueuer = l.owner AND e.seen_at >= " + aliveFor + "))";

            // Primary key of the lane; waits for a batch of the lane that is still open, at most lock_timeout.
            take = "UPDATE " + lanes + " AS l SET owner = ?, generation = generation + 1, taken_at = clock_timestamp()"
                    + " WHERE lane = ? AND (owner IS NULL OR owner = ? OR NOT EXISTS"
                    + " (SELECT FROM " + enqueuers + " AS e WHERE e.enqueuer = l.owner AND e.seen_at >= " + aliveFor + "))"
                    + " AND (" + sameDeployment + ") RETURNING generation";
            giveBack = "UPDATE " + lanes + " SET owner = NULL WHERE lane = ? AND generation = ? AND owner = ?";
            giveBackAll = "UPDATE " + lanes + " SET owner = NULL WHERE owner = ?";
            forgetMe = "DELETE FROM " + enqueuers + " WHERE enqueuer = ?";

            // Primary key; locks the lane's row until the batch ends. Readers and other lanes are not concerned.
            lock = "SELECT generation FROM " + lanes + " WHERE lane = ? FOR NO KEY UPDATE";

            // Primary key, from the lane's start to the first row; no lock.
            anyWaiting = "SELECT EXISTS (SELECT FROM " + jobs + " WHERE lane = ? AND topic <> ALL (?::text[]))";

            // Primary key in id order; locks no row, since only the lane's owner deletes. Sizes are read without
            // fetching large values from where they are stored out of line.
            read = "SELECT id, job_id, topic, job_key, job_name, payload, headers::text, staged_at, bytes_through FROM ("
                    + " SELECT *, sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS bytes_through FROM ("
                    + "  SELECT *, (64 + coalesce(octet_length(payload), 0) + coalesce(octet_length(job_key), 0)"
                    + "    + coalesce(pg_column_size(headers), 0)) AS bytes"
                    + "  FROM " + jobs + " WHERE lane = ? AND topic <> ALL (?::text[]) ORDER BY id LIMIT ?) AS next) AS sized"
                    + " WHERE bytes_through - bytes < ? ORDER BY id";

            logFlushed = "SELECT pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn()";
            writeToLog = "SELECT pg_logical_emit_message(true, 'staged-jobs', '')";

            // Primary key, one probe a pair; locks the rows it deletes. Both halves of the pair must match.
            delete = "WITH gone AS (DELETE FROM " + jobs + " AS j USING unnest(?::bigint[], ?::uuid[]) AS p (id, job_id)"
                    + " WHERE j.lane = ? AND j.id = p.id AND j.job_id = p.job_id RETURNING 1)"
                    + " SELECT count(*), clock_timestamp() FROM gone";

            // Primary key from its end: an old snapshot keeps dead entries only before it.
            settled = "SELECT coalesce((SELECT batch FROM " + batches + " WHERE lane = ? ORDER BY batch DESC LIMIT 1), 0)";
            // Primary key, one probe an id; no lock beyond the lane's, which keeps everybody else from deleting.
            present = "SELECT j.id, j.job_id FROM unnest(?::bigint[]) AS p (id) JOIN " + jobs + " AS j"
                    + " ON j.lane = ? AND j.id = p.id";
            recordBatch = "INSERT INTO " + batches + " (lane, batch) VALUES (?, ?)";
            forgetBatches = "DELETE FROM " + batches + " WHERE lane = ? AND batch < ?";

            countBounded = "SELECT count(*) FROM (SELECT FROM " + jobs + " LIMIT ?) AS counted";
            countEstimated = "SELECT coalesce(pg_stat_get_live_tuples('" + jobs.replace("'", "''") + "'::regclass), 0)";
            // Primary key, the first row of each lane.
            oldestAge = "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - first.staged_at)), 0) FROM " + lanes
                    + " AS l CROSS JOIN LATERAL (SELECT staged_at FROM " + jobs + " AS j WHERE j.lane = l.lane"
                    + " ORDER BY id LIMIT 1) AS first";
            // spotless:on
        }
    }
}
