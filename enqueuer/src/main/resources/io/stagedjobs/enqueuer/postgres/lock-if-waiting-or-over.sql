-- As lock-if-waiting.sql, but also locks if one of the writers whose ids may be before :after has released its lock on
-- the table.
-- Index: staged_job_lanes_pkey; staged_jobs_pkey, one probe; staged_job_batches_pkey.
-- Locks: the lane's row.
SELECT l.generation,
    extract(epoch FROM pg_postmaster_start_time()) || ' ' || pg_relation_filenode(:'id_sequence'::regclass) AS era,
    clock_timestamp() AS locked_at,
    coalesce(
        (SELECT b.batch FROM :"schema".staged_job_batches AS b WHERE b.lane = l.lane ORDER BY b.batch DESC LIMIT 1),
        0) AS last_batch
FROM :"schema".staged_job_lanes AS l
WHERE l.lane = :lane
    AND (l.generation <> :generation
        OR extract(epoch FROM pg_postmaster_start_time()) || ' ' || pg_relation_filenode(:'id_sequence'::regclass)
            <> :'era'
        OR EXISTS (SELECT FROM :"schema".staged_jobs AS j WHERE j.lane = l.lane AND j.id > :after)
        OR EXISTS (
            SELECT FROM unnest(:'writers'::text[]) AS w (writer)
            WHERE NOT EXISTS (
                SELECT FROM pg_locks AS held
                WHERE held.locktype = 'relation' AND held.mode = 'RowExclusiveLock' AND held.granted
                    AND held.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                    AND held.relation = :'jobs_table'::regclass
                    AND held.virtualtransaction = w.writer)))
FOR NO KEY UPDATE;
