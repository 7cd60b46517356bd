-- Takes a lane that nobody owns, or whose owner showed no sign of life for :takeover_millis. A process of the time before
-- DatabaseIdentity was changed takes none.
-- Waits for a batch of the lane that is still open, at most lock_timeout. Whoever shows a sign of life during that wait loses
-- the lane all the same: afterwards only the locked row is looked at anew, the subqueries keep the snapshot. That does no
-- harm: the one who lost it meets a newer generation, and whoever takes a lane compares both stores before it publishes.
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
