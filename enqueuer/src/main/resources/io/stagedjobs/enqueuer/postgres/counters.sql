-- What has happened so far, for rates: the highest id drawn, rows deleted from staged_jobs, rows that went into parked_jobs.
-- PostgreSQL counts rows with a delay of seconds, and forgets its counts in a crash.
-- Index: none.
-- Locks: no row.
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
    CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS last_id,
    pg_stat_get_tuples_deleted(:'jobs_table'::regclass) AS deleted,
    pg_stat_get_tuples_inserted(:'parked_table'::regclass) AS moved_aside
FROM :"schema".staged_jobs_id_seq;
