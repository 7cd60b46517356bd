-- The age of the oldest waiting job in seconds: finite for any time in a row, and never negative.
-- Index: staged_jobs_pkey, the first row of each lane.
-- Locks: no row.
SELECT coalesce(
    max(extract(epoch FROM clock_timestamp()
        - least(greatest(first.staged_at, '0001-01-01 00:00:00+00'), clock_timestamp()))),
    0) AS seconds
FROM :"schema".staged_job_lanes AS l
CROSS JOIN LATERAL (
    SELECT j.staged_at FROM :"schema".staged_jobs AS j WHERE j.lane = l.lane ORDER BY j.id LIMIT 1) AS first;
