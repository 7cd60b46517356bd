-- Transactions that wrote jobs and are still open, and whoever has the table locked against others, the oldest first. The
-- enqueuers themselves are left out. A prepared transaction has no process.
-- Index: none.
-- Locks: nothing.
SELECT
    CASE WHEN l.pid IS NULL
        THEN 'prepared transaction ' || coalesce(quote_literal(p.gid) || ' of role ' || p.owner, l.virtualtransaction)
        ELSE 'pid ' || l.pid || ', role ' || coalesce(a.usename, '?') || ', application '
            || coalesce(nullif(a.application_name, ''), '(no name)') || coalesce(', ' || a.state, '')
    END AS who,
    extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared))::float8 AS seconds,
    bool_or(l.mode NOT IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock')) AS locks_others_out,
    CASE WHEN l.pid IS NULL
        THEN 'ROLLBACK PREPARED ' || coalesce(quote_literal(p.gid), '…') || ';'
        ELSE 'SELECT pg_terminate_backend(' || l.pid || ');'
    END AS fix
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_class AS c ON c.oid = l.relation AND c.relname = 'staged_jobs'
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = :'schema_name'
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
LEFT JOIN pg_catalog.pg_prepared_xacts AS p ON l.pid IS NULL AND l.virtualtransaction = '-1/' || p.transaction
WHERE l.locktype = 'relation' AND l.granted
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
    AND l.mode IN ('RowExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    AND coalesce(a.application_name, '') NOT LIKE 'staged-jobs %'
    AND coalesce(a.backend_type, 'client backend') = 'client backend'
GROUP BY l.pid, l.virtualtransaction, p.gid, p.owner, p.prepared, a.usename, a.application_name, a.state, a.xact_start
ORDER BY seconds DESC NULLS LAST, who;
