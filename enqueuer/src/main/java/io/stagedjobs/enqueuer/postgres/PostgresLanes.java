package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.Batch;
import io.stagedjobs.enqueuer.Job;
import io.stagedjobs.enqueuer.Lanes;
import io.stagedjobs.enqueuer.Outcome;
import io.stagedjobs.enqueuer.Progress;
import io.stagedjobs.enqueuer.Progress.JobRef;
import io.stagedjobs.schema.Schema;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
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
     */
    public record Identity(UUID id, String name, String delivery) {}

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
        this.transactions = new Transactions(dataSource, publishTimeout);
        this.sql = new Statements(schema);
        this.identity = identity;
        this.takeoverAfter = takeoverAfter;
    }

    @Override
    public Census beat() {
        return transactions.call("renew the heartbeat", dsl -> {
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
            Record taken = dsl.fetchOne(sql.take, identity.id, lane, identity.id, takeoverAfter.toMillis());
            return taken == null ? OptionalLong.empty() : OptionalLong.of(taken.get(0, long.class));
        });
    }

    @Override
    public void giveBack(int lane, long generation) {
        transactions.call("give back lane " + lane, dsl -> dsl.execute(sql.giveBack, lane, generation, identity.id));
    }

    @Override
    public boolean reconcile(int lane, long generation, Progress progress) {
        return transactions.call("reconcile lane " + lane, dsl -> {
            if (!lock(dsl, lane, generation)) {
                return false;
            }
            if (!progress.jobs().isEmpty()) {
                int deleted = delete(dsl, lane, progress.jobs()).deleted();
                log.info("lane {}: {} jobs that Kafka held already were deleted", lane, deleted);
            }
            return true;
        });
    }

    @Override
    public boolean anyWaiting(int lane, Set<String> heldTopics) {
        return transactions.call(
                "look at lane " + lane, dsl -> dsl.fetchSingle(sql.anyWaiting, lane, heldTopics.toArray(new String[0]))
                        .get(0, boolean.class));
    }

    @Override
    public Optional<Batch> claim(int lane, long generation, BatchLimits limits, Set<String> heldTopics) {
        Transactions.Open transaction = transactions.begin();
        try {
            if (!lock(transaction.dsl(), lane, generation)) {
                transaction.close();
                return Optional.empty();
            }
            return Optional.of(read(transaction, lane, limits, heldTopics));
        } catch (RuntimeException e) {
            transaction.close();
            throw e instanceof DataAccessException sql ? Transactions.outside("claim a batch of lane " + lane, sql) : e;
        }
    }

    /** A statement of its own before the rows are read: what waited for the lock must not fix the snapshot. */
    private boolean lock(DSLContext dsl, int lane, long generation) {
        Record found = dsl.fetchOne(sql.lock, lane);
        return found != null && found.get(0, long.class) == generation;
    }

    private Batch read(Transactions.Open transaction, int lane, BatchLimits limits, Set<String> heldTopics) {
        List<Job> jobs = new ArrayList<>();
        long bytes = 0;
        for (Record row : transaction
                .dsl()
                .fetch(sql.read, lane, heldTopics.toArray(new String[0]), limits.rowsMax(), limits.bytesMax())) {
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
        return new ClaimedBatch(transaction, lane, jobs, full);
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

    private Batch.Settlement delete(DSLContext dsl, int lane, List<JobRef> jobs) {
        Record result = dsl.fetchSingle(
                sql.delete,
                jobs.stream().map(JobRef::id).toArray(Long[]::new),
                jobs.stream().map(JobRef::jobId).toArray(UUID[]::new),
                lane);
        return new Batch.Settlement(
                result.get(0, int.class), result.get(1, OffsetDateTime.class).toInstant());
    }

    /** A batch and the transaction that read it. */
    private final class ClaimedBatch implements Batch {
        private final Transactions.Open transaction;
        private final int lane;
        private final List<Job> jobs;
        private final boolean full;

        ClaimedBatch(Transactions.Open transaction, int lane, List<Job> jobs, boolean full) {
            this.transaction = transaction;
            this.lane = lane;
            this.jobs = jobs;
            this.full = full;
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
            List<JobRef> published = outcome.published().stream()
                    .map(job -> new JobRef(job.id(), job.jobId()))
                    .toList();
            try {
                Settlement settlement = delete(transaction.dsl(), lane, published);
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
        final String renew;
        final String forgetDead;
        final String living;
        final String owners;
        final String take;
        final String giveBack;
        final String giveBackAll;
        final String forgetMe;
        final String lock;
        final String anyWaiting;
        final String read;
        final String delete;
        final String countBounded;
        final String countEstimated;
        final String oldestAge;

        Statements(Schema schema) {
            String jobs = schema.qualified("staged_jobs");
            String lanes = schema.qualified("staged_job_lanes");
            String enqueuers = schema.qualified("staged_job_enqueuers");
            String aliveFor = "clock_timestamp() - ? * interval '1 ms'";

            // spotless:off
            // Small tables, primary key; locks the row written.
            renew = "INSERT INTO " + enqueuers + " AS e (enqueuer, name, delivery) VALUES (?, ?, ?)"
                    + " ON CONFLICT (enqueuer) DO UPDATE SET seen_at = clock_timestamp()";
            // Long after anybody could have counted them among the living.
            forgetDead = "DELETE FROM " + enqueuers + " WHERE seen_at < clock_timestamp() - ? * interval '100 ms'";
            living = "SELECT enqueuer FROM " + enqueuers + " WHERE seen_at >= " + aliveFor + " ORDER BY enqueuer";
            owners = "SELECT owner FROM " + lanes + " ORDER BY lane";

            // Primary key of the lane; waits for a batch of the lane that is still open, at most lock_timeout.
            take = "UPDATE " + lanes + " AS l SET owner = ?, generation = generation + 1, taken_at = clock_timestamp()"
                    + " WHERE lane = ? AND (owner IS NULL OR owner = ? OR NOT EXISTS"
                    + " (SELECT FROM " + enqueuers + " AS e WHERE e.enqueuer = l.owner AND e.seen_at >= " + aliveFor + "))"
                    + " RETURNING generation";
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

            // Primary key, one probe a pair; locks the rows it deletes. Both halves of the pair must match.
            delete = "WITH gone AS (DELETE FROM " + jobs + " AS j USING unnest(?::bigint[], ?::uuid[]) AS p (id, job_id)"
                    + " WHERE j.lane = ? AND j.id = p.id AND j.job_id = p.job_id RETURNING 1)"
                    + " SELECT count(*), clock_timestamp() FROM gone";

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
