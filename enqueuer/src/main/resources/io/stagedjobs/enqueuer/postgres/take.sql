-- Takes a lane that nobody owns, or whose owner showed no sign of life for :takeover_millis. A process that started
-- before DatabaseIdentity changed takes none. Waits for a batch of the lane that is still open, at most lock_timeout.
-- An owner that shows a sign of life during that wait loses the lane anyway: after the wait, PostgreSQL checks only the
-- locked row again, and the subqueries keep the snapshot. That is harmless: the old owner finds a newer generation, and
-- the new one compares both stores before it publishes.
-- Index: staged_job_lanes_pkey, staged_job_enqueuers_pkey.
-- Locks: the lane's row.
UPDATE :"schema".staged_job_lanes AS l
SET owner = :'enqueuer'::uuid, generation = generation + 1, taken_at = clock_timestamp()
WHERE lane = :lane
    AND (owner IS NULL
        OR owner = :'enqueuer'::uuid
        OR NOT EXISTS (
            SELECT FROM :"schema".staged_job_enqueuers AS e
            WHERE e.enqueuer = l.owner
                AND e.seen_at >= clock_timestamp() - :takeover_millis * interval '1 ms'))
    AND (SELECT identity::text LIKE :'database' || '%' FROM :"schema".staged_job_delivery)
RETURNING generation, channel;
