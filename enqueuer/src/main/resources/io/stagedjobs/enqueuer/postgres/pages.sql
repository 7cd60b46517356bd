-- How many pages staged_jobs and parked_jobs have on disk.
-- Index: none; asks the file system.
-- Locks: no row.
SELECT pg_relation_size(:'jobs_table'::regclass) / current_setting('block_size')::bigint AS staged,
    pg_relation_size(:'parked_table'::regclass) / current_setting('block_size')::bigint AS parked;
