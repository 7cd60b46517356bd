-- As lock.sql, if a job waits after :after or the owner's knowledge is out of date; else it locks and writes nothing.
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
        OR EXISTS (SELECT FROM :"schema".staged_jobs AS j WHERE j.lane = l.lane AND j.id > :after))
FOR NO KEY UPDATE;
