-- What vacuum has left to do: the dead rows of both tables of jobs, by PostgreSQL's statistics, and the age of the oldest
-- transaction that may keep vacuum from removing them. Only members of pg_read_all_stats see sessions of other roles. A
-- replication slot has no time; it shows in the dead rows.
-- Index: none.
-- Locks: nothing.
SELECT
    coalesce(pg_stat_get_dead_tuples(:'jobs_table'::regclass), 0)
        + coalesce(pg_stat_get_dead_tuples(:'parked_table'::regclass), 0) AS dead_rows,
    coalesce(greatest(
        (SELECT max(extract(epoch FROM clock_timestamp() - a.xact_start))
            FROM pg_catalog.pg_stat_activity AS a
            WHERE a.datname = current_database() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
                AND a.pid <> pg_backend_pid()
                AND coalesce(a.backend_type, '') NOT IN ('walsender', 'autovacuum worker')),
        (SELECT max(extract(epoch FROM clock_timestamp() - p.prepared))
            FROM pg_catalog.pg_prepared_xacts AS p
            WHERE p.database = current_database())), 0)::float8 AS snapshot_seconds;
