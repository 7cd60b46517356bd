-- Topics of held jobs, with the reason of the first of each lane. No more lanes and topics than a person reads of.
-- Index: parked_jobs_held, one probe a lane and topic.
-- Locks: no row.
WITH RECURSIVE held (lane, topic) AS (
    SELECT l.lane, (
        SELECT p.topic FROM :"schema".parked_jobs AS p
        WHERE p.lane = l.lane AND p.state = 'held'
        ORDER BY p.topic
        LIMIT 1)
    FROM :"schema".staged_job_lanes AS l
    UNION ALL
    SELECT held.lane, (
        SELECT p.topic FROM :"schema".parked_jobs AS p
        WHERE p.lane = held.lane AND p.state = 'held' AND p.topic > held.topic
        ORDER BY p.topic
        LIMIT 1)
    FROM held
    WHERE held.topic IS NOT NULL),
found (lane, topic) AS (SELECT held.lane, held.topic FROM held WHERE held.topic IS NOT NULL LIMIT 1000)
SELECT found.topic, min(first.reason) AS reason, coalesce(min(first.error), '') AS error
FROM found
CROSS JOIN LATERAL (
    SELECT p.reason, p.error FROM :"schema".parked_jobs AS p
    WHERE p.lane = found.lane AND p.topic = found.topic AND p.state = 'held'
    ORDER BY p.id
    LIMIT 1) AS first
GROUP BY found.topic
ORDER BY found.topic
LIMIT 200;
