-- How many jobs of each topic wait in each lane, and how long the oldest of them waits, among the first :rows_max of each
-- lane. A lane with that many may have more.
-- Index: staged_jobs_pkey, in its order, from the beginning of each lane.
-- Locks: no row.
SELECT first.lane, first.topic, count(*) AS jobs,
    max(extract(epoch FROM clock_timestamp()
        - least(greatest(first.staged_at, '0001-01-01 00:00:00+00'), clock_timestamp())))::float8 AS seconds
FROM :"schema".staged_job_lanes AS l
CROSS JOIN LATERAL (
    SELECT j.lane, j.topic, j.staged_at FROM :"schema".staged_jobs AS j
    WHERE j.lane = l.lane
    ORDER BY j.id
    LIMIT :rows_max) AS first
GROUP BY first.lane, first.topic;
