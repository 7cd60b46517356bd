-- The era of lock.sql, and the last id drawn: the sequence's own value, which no transaction hides.
-- Index: none.
-- Locks: nothing.
SELECT extract(epoch FROM pg_postmaster_start_time()) || ' ' || pg_relation_filenode(:'id_sequence'::regclass) AS era,
    CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS last_id
FROM :"schema".staged_jobs_id_seq;
