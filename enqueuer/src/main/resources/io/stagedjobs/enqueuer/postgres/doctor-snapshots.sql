-- Who keeps vacuum from taking away deleted rows of this database, the oldest first. Others' times are shown to members of
-- pg_read_all_stats only. A slot's catalog_xmin keeps the catalogue's rows and the log, not ours.
-- Index: none.
-- Locks: nothing.
SELECT *
FROM (
    SELECT
        'session' AS kind,
        'pid ' || a.pid || ' (role ' || coalesce(a.usename, '?') || ', '
            || coalesce(nullif(a.application_name, ''), 'no application_name') || coalesce(', ' || a.state, '') || ')' AS who,
        greatest(age(a.backend_xmin), age(a.backend_xid)) AS transactions,
        extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds,
        true AS keeps_rows,
        'SELECT pg_terminate_backend(' || a.pid || ');' AS fix
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = current_database() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
        AND a.pid <> pg_backend_pid()
        AND coalesce(a.backend_type, '') NOT IN ('walsender', 'autovacuum worker')
    UNION ALL
    SELECT
        'prepared transaction',
        'prepared transaction ' || quote_literal(p.gid) || ' of role ' || p.owner,
        age(p.transaction),
        extract(epoch FROM clock_timestamp() - p.prepared)::float8,
        true,
        'ROLLBACK PREPARED ' || quote_literal(p.gid) || '; -- or COMMIT PREPARED: ask whose it is'
    FROM pg_catalog.pg_prepared_xacts AS p
    WHERE p.database = current_database()
    UNION ALL
    SELECT
        'replication slot',
        'replication slot ' || s.slot_name || CASE WHEN s.active THEN '' ELSE ', which nobody reads' END,
        greatest(age(s.xmin), age(s.catalog_xmin)),
        NULL,
        s.xmin IS NOT NULL,
        CASE WHEN s.active
            THEN 'On the standby that reads it, end the old query, or set hot_standby_feedback = off'
            ELSE 'SELECT pg_drop_replication_slot(' || quote_literal(s.slot_name) || '); -- if its reader does not come back'
        END
    FROM pg_catalog.pg_replication_slots AS s
    WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL OR (s.restart_lsn IS NOT NULL AND NOT s.active)
    UNION ALL
    SELECT
        'standby',
        'standby ' || coalesce(nullif(r.application_name, ''), '?') || coalesce(' at ' || host(r.client_addr), '')
            || ' with hot_standby_feedback',
        age(r.backend_xmin),
        NULL,
        true,
        'On that standby, end the old query, or set hot_standby_feedback = off'
    FROM pg_catalog.pg_stat_replication AS r
    WHERE r.backend_xmin IS NOT NULL) AS holder
ORDER BY keeps_rows DESC, transactions DESC NULLS LAST, who;
