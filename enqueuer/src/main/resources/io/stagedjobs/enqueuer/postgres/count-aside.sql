-- How many jobs were moved aside, among the first :rows_max of each lane, with one of their errors. A lane with that many may
-- have more.
-- Index: parked_jobs_pkey, in its order, from the beginning of each lane.
-- Locks: no row.
SELECT first.lane, first.topic, first.state, first.reason, coalesce(max(first.error), '') AS error, count(*) AS jobs
FROM :"schema".staged_job_lanes AS l
CROSS JOIN LATERAL (
    SELECT p.lane, p.topic, p.state, p.reason, p.error FROM :"schema".parked_jobs AS p
    WHERE p.lane = l.lane
    ORDER BY p.id
    LIMIT :rows_max) AS first
GROUP BY first.lane, first.topic, first.state, first.reason;
