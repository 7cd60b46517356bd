package io.stagedjobs.enqueuer.postgres;

import io.stagedjobs.enqueuer.Refusal;
import io.stagedjobs.schema.Schema;

/**
 * The statements of the enqueuer, with the schema's name in them. Above each: the index it needs and the rows it locks. Times
 * are compared by the database's clock only.
 */
final class Statements {

    /** What a job is, wherever its row lies. */
    static final String JOB_COLUMNS = "id, job_id, topic, job_key, job_name, payload, headers, staged_at";

    final String sameDatabase;
    final String renew;
    final String register;
    final String forgetDead;
    final String living;
    final String owners;
    final String endOrphans;
    final String take;
    final String useChannel;
    final String giveBack;
    final String giveBackStrays;
    final String giveBackAll;
    final String forgetMe;
    final String lock;
    final String lockIfWaiting;
    final String lockIfWaitingOrOver;
    final String era;
    final String lastId;
    final String writers;
    final String anyOver;
    final String readSmall;
    final String readSized;
    final String readAhead;
    final String pauses;
    final String heldTopics;
    final String anyParked;
    final String moveAside;
    final String deleteAside;
    final String sweep;
    final String putBack;
    final String nextHeld;
    final String logFlushed;
    final String flushLog;
    final String writeToLog;
    final String delete;
    final String lastBatch;
    final String present;
    final String recordBatch;
    final String waitForLocksBriefly;
    final String countBounded;
    final String countEstimated;
    final String countAsideBounded;
    final String countAsideEstimated;
    final String oldestAge;

    Statements(Schema schema) {
        String jobs = schema.qualified("staged_jobs");
        String lanes = schema.qualified("staged_job_lanes");
        String batches = schema.qualified("staged_job_batches");
        String enqueuers = schema.qualified("staged_job_enqueuers");
        String parked = schema.qualified("parked_jobs");
        String sequence = schema.qualified("staged_jobs_id_seq");
        String aliveFor = "clock_timestamp() - ? * interval '1 ms'";
        // The running server, and the sequence's file: another one when its ids begin anew (TRUNCATE ... RESTART
        // IDENTITY).
        // A crash of a session only restarts the others, and takes back nothing that is on disk.
        this.era = "extract(epoch FROM pg_postmaster_start_time()) || ' ' || pg_relation_filenode(" + regclass(sequence)
                + ")";

        // spotless:off
        // One row, changed by DatabaseIdentity.change only: a process of the time before must take no lane.
        sameDatabase = "SELECT identity::text LIKE ? || '%' FROM " + schema.qualified("staged_job_delivery");
        // Small table, primary key; locks the row written.
        renew = "UPDATE " + enqueuers + " SET seen_at = clock_timestamp() WHERE enqueuer = ?";
        register = "INSERT INTO " + enqueuers + " (enqueuer, name, delivery) VALUES (?, ?, ?)";
        // Long after anybody could have counted them among the living.
        forgetDead = "DELETE FROM " + enqueuers + " WHERE seen_at < clock_timestamp() - ? * interval '100 ms'";
        living = "SELECT enqueuer FROM " + enqueuers + " WHERE seen_at >= " + aliveFor + " ORDER BY enqueuer";
        owners = "SELECT owner FROM " + lanes + " ORDER BY lane";

        // A stopped process keeps its transaction open and the lane locked; PostgreSQL itself may not notice, since such a
        // process answers keepalives, and in mid-fetch its backend counts as active. Locks nothing.
        endOrphans = "SELECT CASE WHEN NOT (" + mayEnd("me", "owner") + ") THEN quote_ident(owner.rolname) END,"
                + " CASE WHEN " + mayEnd("me", "owner") + " THEN pg_terminate_backend(a.pid, 2000) END"
                + " FROM pg_stat_activity AS a JOIN pg_roles AS owner ON owner.oid = a.usesysid"
                + " JOIN pg_roles AS me ON me.rolname = current_user"
                + " WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()"
                + " AND a.state IS DISTINCT FROM 'idle'"
                + " AND (a.application_name = '" + Transactions.APPLICATION_NAME_PREFIX + "' || ?::uuid || ' lane ' || ?"
                + " OR a.application_name LIKE (SELECT '" + Transactions.APPLICATION_NAME_PREFIX + "' || l.owner || '%' FROM "
                + lanes + " AS l WHERE l.lane = ? AND l.owner <> ? AND NOT EXISTS (SELECT FROM " + enqueuers
                + " AS e WHERE e.enqueuer = l.owner AND e.seen_at >= " + aliveFor + ")))";

        // Primary key of the lane; waits for a batch of the lane that is still open, at most lock_timeout. Whoever showed a sign of
        // life during that wait loses the lane all the same: after the wait only the locked row is looked at anew, the subqueries
        // keep the snapshot. That does no harm: the one who lost it meets a newer generation, and whoever takes a lane compares
        // both stores before it publishes.
        take = "UPDATE " + lanes + " AS l SET owner = ?, generation = generation + 1, taken_at = clock_timestamp()"
                + " WHERE lane = ? AND (owner IS NULL OR owner = ? OR NOT EXISTS"
                + " (SELECT FROM " + enqueuers + " AS e WHERE e.enqueuer = l.owner AND e.seen_at >= " + aliveFor + "))"
                + " AND (" + sameDatabase + ") RETURNING generation, channel";
        // Primary key; the row is locked already.
        useChannel = "UPDATE " + lanes + " SET channel = ? WHERE lane = ?";
        giveBack = "UPDATE " + lanes + " SET owner = NULL WHERE lane = ? AND generation = ? AND owner = ?";
        giveBackStrays = "UPDATE " + lanes + " SET owner = NULL WHERE lane = ANY (?::int[]) AND owner = ?";
        giveBackAll = "UPDATE " + lanes + " SET owner = NULL WHERE owner = ?";
        forgetMe = "DELETE FROM " + enqueuers + " WHERE enqueuer = ?";

        String lastBatchOf = "coalesce((SELECT batch FROM " + batches + " AS b WHERE b.lane = %s ORDER BY batch DESC LIMIT 1), 0)";
        // Primary key; locks the lane's row until the batch ends. Readers and other lanes are not concerned.
        String locking = "SELECT generation, " + era + ", clock_timestamp(), " + String.format(lastBatchOf, "l.lane")
                + " FROM " + lanes + " AS l WHERE lane = ?";
        lock = locking + " FOR NO KEY UPDATE";

        // The sequence's own value, which no transaction hides.
        lastId = "SELECT " + era + ", CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM " + sequence;
        // Every insert and every COPY takes this lock before it draws an id, and a prepared transaction keeps it.
        String held = " FROM pg_locks AS l WHERE l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' AND l.granted"
                + " AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())"
                + " AND l.relation = " + regclass(jobs);
        String hasNoLock = "NOT EXISTS (SELECT" + held + " AND l.virtualtransaction = w.writer)";
        writers = "SELECT DISTINCT l.virtualtransaction" + held;
        // A transaction gives up its locks after others can see its rows: one whose id is over counts as over. Ids that were
        // given out after the snapshot are in progress; the newest are compared modulo 2^32, as pg_locks cuts them.
        anyOver = "SELECT EXISTS (SELECT FROM unnest(?::text[]) AS w (writer) WHERE " + hasNoLock
                + " OR EXISTS (SELECT FROM pg_locks AS x"
                + " CROSS JOIN LATERAL (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS newest) AS s"
                + " CROSS JOIN LATERAL (SELECT (s.newest - x.transactionid::text::bigint) & 4294967295 AS age) AS a"
                + " WHERE x.virtualtransaction = w.writer AND x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock'"
                + " AND a.age BETWEEN 1 AND 2147483647"
                + " AND pg_xact_status((s.newest - a.age)::text::xid8) IS DISTINCT FROM 'in progress'))";

        // As lock, if a job waits behind the start or the owner's memory is not true: else nothing is locked or written.
        String ifWaiting = " AND (generation <> ? OR " + era + " <> ? OR EXISTS (SELECT FROM " + jobs
                + " AS j WHERE j.lane = l.lane AND j.id > ?)";
        lockIfWaiting = locking + ifWaiting + ") FOR NO KEY UPDATE";
        lockIfWaitingOrOver = locking + ifWaiting + " OR EXISTS (SELECT FROM unnest(?::text[]) AS w (writer) WHERE "
                + hasNoLock + ")) FOR NO KEY UPDATE";

        String follows = "EXISTS (SELECT FROM " + parked + " AS p WHERE " + earlierParked("p", "j") + ")";
        String size = "(64 + coalesce(octet_length(payload), 0) + coalesce(octet_length(job_key), 0)"
                + " + coalesce(pg_column_size(headers), 0))";

        // Primary key in id order; locks no row, since only the lane's owner deletes. Sizes are read without
        // fetching large values from where they are stored out of line. What exceeds its share comes without its payload:
        // that bounds the batch for a third of what the window of the second text costs.
        readSmall = "SELECT id, uuid_send(job_id), topic, job_key, job_name, CASE WHEN " + size + " <= ? THEN payload END,"
                + " CASE WHEN pg_column_size(headers) <= ? THEN headers END::text, timestamptz_send(staged_at), " + size
                + " FROM " + jobs
                + " WHERE lane = ? AND id > ? ORDER BY id LIMIT ?";
        readSized = "SELECT id, uuid_send(job_id), topic, job_key, job_name, payload, headers::text,"
                + " timestamptz_send(staged_at), bytes_through FROM ("
                + " SELECT *, sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS bytes_through FROM ("
                + "  SELECT *, " + size + " AS bytes FROM " + jobs + " AS j WHERE lane = ? AND id > ?"
                + "   AND topic <> ALL (?::text[])"
                + "   AND NOT EXISTS (SELECT FROM unnest(?::text[], ?::bigint[]) AS h (topic, from_id)"
                + "     WHERE h.topic = j.topic AND j.id >= h.from_id)"
                + "   AND NOT (? AND " + follows + ") ORDER BY id LIMIT ?) AS next) AS sized"
                + " WHERE bytes_through - bytes < ? ORDER BY id";

        // As readSized, without a number of jobs that begin at the start: ids in their order. Sizes are those of readSized.
        readAhead = "SELECT id, uuid_send(job_id), topic, job_key, job_name, payload, headers::text,"
                + " timestamptz_send(staged_at), bytes_through FROM ("
                + " SELECT *, sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS bytes_through FROM ("
                + "  SELECT *, " + size + " AS bytes FROM " + jobs + " WHERE lane = ? AND id > ?"
                + "   AND id IS DISTINCT FROM (?::bigint[])[width_bucket(id, ?::bigint[])] ORDER BY id LIMIT ?) AS next) AS sized"
                + " WHERE bytes_through - bytes < ? ORDER BY id";

        // At most one row a topic that was paused.
        pauses = "SELECT topic FROM " + schema.qualified("staged_job_pauses");

        // Index parked_jobs_held, one probe a topic.
        heldTopics = "WITH RECURSIVE held (topic) AS ("
                + " (SELECT topic FROM " + parked + " WHERE lane = ? AND state = 'held' ORDER BY topic LIMIT 1)"
                + " UNION ALL SELECT (SELECT p.topic FROM " + parked + " AS p WHERE p.lane = ? AND p.state = 'held'"
                + "  AND p.topic > held.topic ORDER BY p.topic LIMIT 1) FROM held WHERE held.topic IS NOT NULL)"
                + " SELECT topic FROM held WHERE topic IS NOT NULL";
        // Index parked_jobs_key, its first entry of the lane.
        anyParked = "SELECT EXISTS (SELECT FROM " + parked + " WHERE lane = ? AND state = 'parked')";

        // Primary key, one probe a pair; locks the rows it deletes.
        moveAside = "WITH found AS (SELECT j.*, m.state, m.reason, m.error"
                + " FROM unnest(?::bigint[], ?::uuid[], ?::text[], ?::text[], ?::text[]) AS m (id, job_id, state, reason, error)"
                + rowOf(jobs, "m") + "),"
                + " gone AS (DELETE FROM " + jobs + " WHERE ctid = ANY (ARRAY(SELECT place FROM found)) RETURNING ctid AS place)"
                + " INSERT INTO " + parked + " (lane, " + JOB_COLUMNS + ", state, reason, error)"
                + " SELECT lane, " + JOB_COLUMNS + ", state, reason, error FROM found"
                + " WHERE place = ANY (ARRAY(SELECT place FROM gone))";
        // Primary key, the first rows of the lane and no more; locks the rows it moves.
        sweep = "WITH first AS (SELECT ctid AS place, id, lane, topic, job_key, " + size + " AS bytes FROM " + jobs
                + "  WHERE lane = ? AND id > ? ORDER BY id LIMIT ?),"
                + " blocked AS (SELECT place, id, bytes FROM first AS j WHERE topic = ANY (?::text[]) OR " + follows + "),"
                + gone(jobs, "blocked") + ","
                + " moved AS (INSERT INTO " + parked + " (lane, " + JOB_COLUMNS + ", state, reason, error)"
                + "  SELECT lane, " + JOB_COLUMNS + ", CASE WHEN reason IS NULL THEN 'parked' ELSE 'held' END,"
                + "   coalesce(reason, '" + Refusal.Reason.FOLLOWS.label() + "'), error FROM gone"
                + "   LEFT JOIN unnest(?::text[], ?::text[], ?::text[]) AS h (held_topic, reason, error) ON held_topic = topic"
                + "  RETURNING 1)"
                + " SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM blocked), count(*), coalesce(max(id), 0) FROM first";
        // Index parked_jobs_held, the first of the topic; locks the rows it moves.
        putBack = "WITH held AS (SELECT ctid AS place, id, " + size + " AS bytes FROM " + parked
                + "  WHERE lane = ? AND topic = ? AND state = 'held' ORDER BY id LIMIT ?),"
                + gone(parked, "held")
                + " INSERT INTO " + jobs + " (" + JOB_COLUMNS + ") OVERRIDING SYSTEM VALUE SELECT " + JOB_COLUMNS + " FROM gone";
        // Index parked_jobs_held, the first entry of the topic.
        nextHeld = "SELECT min(id) FROM " + parked + " WHERE lane = ? AND topic = ? AND state = 'held'";

        logFlushed = "SELECT pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn()";
        // From PostgreSQL 17 on: what is written here is flushed at once, with all that is before it. If something was read.
        flushLog = "SELECT CASE WHEN pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()"
                + " AND EXISTS (SELECT FROM " + jobs + " AS j WHERE j.lane = ? AND j.id > ?)"
                + " THEN pg_logical_emit_message(false, 'staged-jobs', '', true) END";
        writeToLog = "SELECT pg_logical_emit_message(true, 'staged-jobs', '')";

        // Primary key, from the first id to the last; locks the rows it deletes. Both halves of the pair must match, the ids in
        // their order and the job_ids one behind the other: to look a row up there costs less than a join with the pairs, and
        // no planner can turn it round.
        String place = "width_bucket(id, ?::bigint[])";
        delete = "DELETE FROM " + jobs + " WHERE lane = ? AND id BETWEEN ? AND ? AND id = (?::bigint[])[" + place + "]"
                + " AND uuid_send(job_id) = substring(?::bytea FROM 16 * " + place + " - 15 FOR 16)";

        // Primary key from its end: an old snapshot keeps dead entries only before it.
        lastBatch = "SELECT " + String.format(lastBatchOf, "?");
        // Primary keys, one probe an id; no lock beyond the lane's, which keeps everybody else from deleting.
        present = "SELECT id, job_id FROM " + jobs + " WHERE lane = ? AND id = ANY (?::bigint[]) UNION ALL"
                + " SELECT id, job_id FROM " + parked + " WHERE lane = ? AND id = ANY (?::bigint[])";
        deleteAside = deletePairs(parked);
        // Primary key, one entry: numbers follow each other, and an old snapshot keeps the entries of all that were before.
        recordBatch = "INSERT INTO " + batches + " (lane, batch) VALUES (?, ?);"
                + " DELETE FROM " + batches + " WHERE lane = ? AND batch = ? - 1";

        // Whoever has locked the table must not keep the heartbeat from being renewed.
        waitForLocksBriefly = "SET LOCAL lock_timeout = '200ms'";
        countBounded = countBounded(jobs);
        countEstimated = countEstimated(jobs);
        countAsideBounded = countBounded(parked);
        countAsideEstimated = countEstimated(parked);
        // Primary key, the first row of each lane.
        oldestAge = "SELECT coalesce(max(" + secondsSince("first.staged_at") + "), 0) FROM " + lanes
                + " AS l CROSS JOIN LATERAL (SELECT staged_at FROM " + jobs + " AS j WHERE j.lane = l.lane"
                + " ORDER BY id LIMIT 1) AS first";
        // spotless:on
    }

    /** An age that is finite for whatever time the column has, and never negative. */
    static String secondsSince(String column) {
        return "extract(epoch FROM clock_timestamp() - least(greatest(" + column
                + ", '0001-01-01 00:00:00+00'), clock_timestamp()))";
    }

    /** A time as RFC 3339 has it, or as PostgreSQL has it where that is impossible. */
    static String written(String column) {
        return "coalesce(to_char(" + column + " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), " + column
                + "::text)";
    }

    /** That a is an earlier parked job of the key (topic and job_key) of b: index parked_jobs_key. False without a key. */
    static String earlierParked(String a, String b) {
        return String.format(
                "%1$s.lane = %2$s.lane AND %1$s.topic = %2$s.topic AND %1$s.job_key = %2$s.job_key"
                        + " AND hashtextextended(%1$s.job_key COLLATE \"C\", 0) = hashtextextended(%2$s.job_key COLLATE \"C\", 0)"
                        + " AND %1$s.state = 'parked' AND %1$s.id < %2$s.id",
                a, b);
    }

    /**
     * Joins the row that has lane, id and job_id of {@code given}: one probe each. OFFSET 0 keeps it so; a join that the planner
     * may turn round would go through the whole lane for each pair, wherever statistics of an empty table say that it is short.
     */
    private static String rowOf(String table, String given) {
        return " CROSS JOIN LATERAL (SELECT ctid AS place, * FROM " + table + " AS t WHERE t.lane = ? AND t.id = "
                + given + ".id AND t.job_id = " + given + ".job_id OFFSET 0) AS j";
    }

    /** That role {@code who} may end sessions of role {@code whom}, as pg_terminate_backend has it; both of pg_roles. */
    static String mayEnd(String who, String whom) {
        return String.format(
                "(pg_has_role(%1$s.oid, %2$s.oid, 'USAGE') OR pg_has_role(%1$s.oid, 'pg_signal_backend', 'USAGE'))"
                        + " AND (%1$s.rolsuper OR NOT %2$s.rolsuper)",
                who, whom);
    }

    private static String deletePairs(String table) {
        return "DELETE FROM " + table
                + " WHERE ctid = ANY (ARRAY(SELECT place FROM unnest(?::bigint[], ?::uuid[]) AS p (id, job_id)"
                + rowOf(table, "p") + "))";
    }

    /** Deletes the first rows of {@code chosen}, so many that they exceed a number of bytes by one row at most. */
    private static String gone(String table, String chosen) {
        return " bounded AS (SELECT place, sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) - bytes AS before FROM "
                + chosen + "), gone AS (DELETE FROM " + table
                + " WHERE ctid = ANY (ARRAY(SELECT place FROM bounded WHERE before < ?)) RETURNING *)";
    }

    private static String countBounded(String table) {
        return "SELECT count(*) FROM (SELECT FROM " + table + " LIMIT ?) AS counted";
    }

    private static String countEstimated(String table) {
        return "SELECT coalesce(pg_stat_get_live_tuples(" + regclass(table) + "), 0)";
    }

    private static String regclass(String relation) {
        return "'" + relation.replace("'", "''") + "'::regclass";
    }
}
