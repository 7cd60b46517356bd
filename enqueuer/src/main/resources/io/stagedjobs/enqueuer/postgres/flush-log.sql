-- Puts the write-ahead log on disk, if it is not there and something was read behind :after. PostgreSQL 17 and later: what is
-- written here is flushed at once, with all that is before it.
-- Index: staged_jobs_pkey, one probe.
-- Locks: nothing.
SELECT CASE
    WHEN pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()
        AND EXISTS (SELECT FROM :"schema".staged_jobs AS j WHERE j.lane = :lane AND j.id > :after)
    THEN pg_logical_emit_message(false, 'staged-jobs', '', true)
END;
