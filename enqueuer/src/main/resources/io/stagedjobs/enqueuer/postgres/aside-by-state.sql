-- How many jobs are held and how many are parked, each counted up to :rows_max, and how many rows there are in all by
-- PostgreSQL's statistics.
-- Index: parked_jobs_held and parked_jobs_key: each contains the jobs of one state.
-- Locks: no row.
SELECT
    (SELECT count(*) FROM (
        SELECT 1 FROM :"schema".parked_jobs AS h WHERE h.state = 'held' LIMIT :rows_max) AS first_held) AS held,
    (SELECT count(*) FROM (
        SELECT 1 FROM :"schema".parked_jobs AS p WHERE p.state = 'parked' LIMIT :rows_max) AS first_parked) AS parked,
    coalesce(pg_stat_get_live_tuples(:'parked_table'::regclass), 0) AS live;
