-- The topics of the held jobs of a lane.
-- Index: parked_jobs_held, one probe per topic.
-- Locks: no row.
WITH RECURSIVE held (topic) AS (
    (SELECT topic FROM :"schema".parked_jobs WHERE lane = :lane AND state = 'held' ORDER BY topic LIMIT 1)
    UNION ALL
    SELECT (
        SELECT p.topic FROM :"schema".parked_jobs AS p
        WHERE p.lane = :lane AND p.state = 'held' AND p.topic > held.topic
        ORDER BY p.topic
        LIMIT 1)
    FROM held
    WHERE held.topic IS NOT NULL)
SELECT topic FROM held WHERE topic IS NOT NULL;
