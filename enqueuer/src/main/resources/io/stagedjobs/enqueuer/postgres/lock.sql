-- Locks a lane for one transaction, and returns its generation, the era (the running server, and the file of the id
-- sequence, which changes when ids begin anew), the time, and the last batch that was deleted. A crash of a session
-- restarts only the other sessions, and undoes nothing that is on disk: the era stays the same.
-- Index: staged_job_lanes_pkey; staged_job_batches_pkey from its end, because an old snapshot keeps dead entries before
-- it.
-- Locks: the lane's row. Readers and other lanes do not wait.
SELECT l.generation,
    extract(epoch FROM pg_postmaster_start_time()) || ' ' || pg_relation_filenode(:'id_sequence'::regclass) AS era,
    clock_timestamp() AS locked_at,
    coalesce(
        (SELECT b.batch FROM :"schema".staged_job_batches AS b WHERE b.lane = l.lane ORDER BY b.batch DESC LIMIT 1),
        0) AS last_batch
FROM :"schema".staged_job_lanes AS l
WHERE l.lane = :lane
FOR NO KEY UPDATE;
