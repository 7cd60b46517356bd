-- The sessions that keep these sessions of ours waiting for a lock. Only members of pg_read_all_stats see the states of
-- others; everybody sees their names. A prepared transaction has no session, and counts as process 0.
-- Index: none.
-- Locks: nothing.
SELECT string_agg(
    DISTINCT CASE blocking.pid
        WHEN 0 THEN 'a prepared transaction'
        ELSE 'pid ' || blocking.pid || ' (' || coalesce(nullif(b.application_name, ''), 'no application_name')
            || coalesce(', ' || b.state, '') || ')'
    END,
    ', ') AS blockers
FROM pg_catalog.pg_stat_activity AS a
CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS blocking (pid)
LEFT JOIN pg_catalog.pg_stat_activity AS b ON b.pid = blocking.pid
WHERE a.application_name LIKE :'sessions' || '%' AND a.wait_event_type = 'Lock'
    AND coalesce(b.application_name, '') NOT LIKE :'sessions' || '%';
