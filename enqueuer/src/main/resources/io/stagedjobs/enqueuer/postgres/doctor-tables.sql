-- How the tables of jobs fare: what vacuum has left to do there, and how ids are drawn. Figures are PostgreSQL's statistics.
-- Index: none.
-- Locks: nothing.
SELECT
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS relation,
    coalesce(pg_stat_get_live_tuples(c.oid), 0) AS live,
    coalesce(pg_stat_get_dead_tuples(c.oid), 0) AS dead,
    c.relpages::bigint * current_setting('block_size')::bigint AS bytes,
    extract(epoch FROM clock_timestamp()
        - greatest(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid)))::float8
        AS vacuumed_seconds,
    current_setting('autovacuum') = 'on'
        AND NOT coalesce('autovacuum_enabled=false' = ANY (c.reloptions) OR 'autovacuum_enabled=off' = ANY (c.reloptions),
            false) AS vacuumed_by_itself,
    q.seqcache AS sequence_cache,
    q.seqincrement AS sequence_increment
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = :'schema_name'
LEFT JOIN (
    pg_catalog.pg_sequence AS q
    JOIN pg_catalog.pg_depend AS d ON d.objid = q.seqrelid AND d.classid = 'pg_catalog.pg_class'::regclass
        AND d.deptype IN ('a', 'i')) ON d.refobjid = c.oid
WHERE c.relname IN ('staged_jobs', 'parked_jobs') AND c.relkind = 'r'
ORDER BY c.relname DESC;
