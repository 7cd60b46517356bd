-- Live enqueuers whose sessions this role may not end, or whose role may not end ours, by the rule of
-- pg_terminate_backend.
-- Index: none.
-- Locks: nothing.
SELECT string_agg(DISTINCT quote_ident(other.rolname), ', ') AS others, quote_ident(current_user) AS this_one
FROM pg_catalog.pg_stat_activity AS a
JOIN pg_catalog.pg_roles AS other ON other.oid = a.usesysid
JOIN pg_catalog.pg_roles AS me ON me.rolname = current_user
JOIN :"schema".staged_job_enqueuers AS e ON a.application_name LIKE 'staged-jobs ' || e.enqueuer || '%'
WHERE a.datname = current_database()
    AND e.seen_at >= clock_timestamp() - :takeover_millis * interval '1 ms'
    AND NOT ((pg_has_role(me.oid, other.oid, 'USAGE') OR pg_has_role(me.oid, 'pg_signal_backend', 'USAGE'))
        AND (me.rolsuper OR NOT other.rolsuper)
        AND (pg_has_role(other.oid, me.oid, 'USAGE') OR pg_has_role(other.oid, 'pg_signal_backend', 'USAGE'))
        AND (other.rolsuper OR NOT me.rolsuper));
