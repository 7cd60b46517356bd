-- Parked jobs, of each lane no more than a thousand, with one of the errors of each topic. What only follows another one of
-- its key says nothing of the cause.
-- Index: parked_jobs_key, a thousand entries of each lane.
-- Locks: no row.
SELECT
    found.topic,
    count(*) AS jobs,
    coalesce(min(found.reason) FILTER (WHERE found.reason <> 'follows'), min(found.reason)) AS reason,
    coalesce(min(found.error) FILTER (WHERE found.reason <> 'follows'), min(found.error), '') AS error
FROM :"schema".staged_job_lanes AS l
CROSS JOIN LATERAL (
    SELECT p.topic, p.reason, p.error FROM :"schema".parked_jobs AS p
    WHERE p.lane = l.lane AND p.state = 'parked'
    ORDER BY p.topic
    LIMIT 1000) AS found
GROUP BY found.topic
ORDER BY jobs DESC, found.topic
LIMIT 200;
