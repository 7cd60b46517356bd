-- Whether one of these writers has ended, so that its rows may be visible. A transaction releases its locks only after
-- others can see its rows, so a writer counts as over once its transaction id is. Ids given out after the snapshot are
-- in progress; the newest are compared modulo 2^32, because pg_locks shows only these bits.
-- Index: none.
-- Locks: nothing.
SELECT EXISTS (
    SELECT FROM unnest(:'writers'::text[]) AS w (writer)
    WHERE NOT EXISTS (
            SELECT FROM pg_locks AS held
            WHERE held.locktype = 'relation' AND held.mode = 'RowExclusiveLock' AND held.granted
                AND held.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                AND held.relation = :'jobs_table'::regclass
                AND held.virtualtransaction = w.writer)
        OR EXISTS (
            SELECT FROM pg_locks AS x
            CROSS JOIN LATERAL (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS newest) AS s
            CROSS JOIN LATERAL (SELECT (s.newest - x.transactionid::text::bigint) & 4294967295 AS age) AS a
            WHERE x.virtualtransaction = w.writer AND x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock'
                AND a.age BETWEEN 1 AND 2147483647
                AND pg_xact_status((s.newest - a.age)::text::xid8) IS DISTINCT FROM 'in progress')) AS any_over;
