-- What the enqueuers say of themselves: what does not work for each, and for how long.
-- Index: none.
-- Locks: no row.
SELECT
    e.enqueuer::text AS enqueuer,
    p.place,
    p.reason,
    greatest(extract(epoch FROM clock_timestamp() - p.since), 0)::float8 AS lasting_seconds
FROM :"schema".staged_job_enqueuers AS e
CROSS JOIN LATERAL jsonb_to_recordset(e.problems) AS p (place text, reason text, since timestamptz)
ORDER BY e.enqueuer, p.place;
