-- Ends sessions that may wrongly hold a lane: those of its last owner, if that one is dead, and our own whose
-- connection we lost. A stopped process keeps its transaction open and the lane locked. PostgreSQL itself may not
-- notice that, because such a process answers keepalives, and in mid-fetch its backend counts as active. One row per
-- session: the role whose sessions this one may not end, or whether it was ended.
-- Index: staged_job_lanes_pkey, staged_job_enqueuers_pkey.
-- Locks: nothing.
SELECT CASE WHEN NOT may.end_it THEN quote_ident(owner.rolname) END AS spared,
    CASE WHEN may.end_it THEN pg_terminate_backend(a.pid, 2000) END AS ended
FROM pg_stat_activity AS a
JOIN pg_roles AS owner ON owner.oid = a.usesysid
JOIN pg_roles AS me ON me.rolname = current_user
CROSS JOIN LATERAL (
    -- The same rule as in pg_terminate_backend.
    SELECT (pg_has_role(me.oid, owner.oid, 'USAGE') OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'))
        AND (me.rolsuper OR NOT owner.rolsuper) AS end_it
    OFFSET 0) AS may
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.state IS DISTINCT FROM 'idle'
    AND (a.application_name = 'staged-jobs ' || :'enqueuer'::uuid || ' lane ' || :lane
        OR a.application_name LIKE (
            SELECT 'staged-jobs ' || l.owner || '%'
            FROM :"schema".staged_job_lanes AS l
            WHERE l.lane = :lane AND l.owner <> :'enqueuer'::uuid
                AND NOT EXISTS (
                    SELECT FROM :"schema".staged_job_enqueuers AS e
                    WHERE e.enqueuer = l.owner
                        AND e.seen_at >= clock_timestamp() - :takeover_millis * interval '1 ms')));
