-- Flushes the write-ahead log to disk, if that is necessary and if the read found a job after :after. For PostgreSQL 17
-- and later, where this write is flushed at once with everything before it.
-- Index: staged_jobs_pkey, one probe.
-- Locks: nothing.
SELECT CASE
    WHEN pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()
        AND EXISTS (SELECT FROM :"schema".staged_jobs AS j WHERE j.lane = :lane AND j.id > :after)
    THEN pg_logical_emit_message(false, 'staged-jobs', '', true)
END;
