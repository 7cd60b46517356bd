-- The lanes, who owns each, and the first job that waits in each.
-- Index: staged_jobs_pkey, the first row of each lane.
-- Locks: no row.
SELECT l.lane, e.enqueuer::text AS owner, first.id AS first_id, coalesce(first.seconds, 0)::float8 AS seconds
FROM :"schema".staged_job_lanes AS l
LEFT JOIN :"schema".staged_job_enqueuers AS e
    ON e.enqueuer = l.owner AND e.seen_at >= clock_timestamp() - :takeover_millis * interval '1 ms'
LEFT JOIN LATERAL (
    SELECT
        j.id,
        extract(epoch FROM clock_timestamp()
            - least(greatest(j.staged_at, '0001-01-01 00:00:00+00'), clock_timestamp())) AS seconds
    FROM :"schema".staged_jobs AS j WHERE j.lane = l.lane ORDER BY j.id LIMIT 1) AS first ON true
ORDER BY l.lane;
