-- The topics of the first jobs that wait in each lane.
-- Index: staged_jobs_pkey, the first thousand rows of each lane.
-- Locks: no row.
SELECT DISTINCT first.topic
FROM :"schema".staged_job_lanes AS l
CROSS JOIN LATERAL (
    SELECT j.topic FROM :"schema".staged_jobs AS j WHERE j.lane = l.lane ORDER BY j.id LIMIT 1000) AS first
ORDER BY first.topic
LIMIT 200;
