-- Everything that may hide a row from this role, or prevent its deletion or insertion.
-- Index: none.
-- Locks: nothing.
WITH ours (oid) AS (SELECT unnest(ARRAY[to_regclass(:'jobs_table'), to_regclass(:'parked_table')]))
-- Row-level security that applies to this role: owners and BYPASSRLS are exempt.
SELECT 'row-level security of ' || c.relname || ' that applies to role ' || current_user AS found
FROM pg_catalog.pg_class AS c JOIN ours ON ours.oid = c.oid
WHERE row_security_active(c.oid)
UNION ALL
SELECT 'rule ' || r.rulename || ' on ' || r.ev_class::regclass::text
FROM pg_catalog.pg_rewrite AS r JOIN ours ON ours.oid = r.ev_class
UNION ALL
-- Triggers that fire before a row is changed. Bits of tgtype: 1 FOR EACH ROW, 2 BEFORE, 4 INSERT, 8 DELETE.
SELECT 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass::text
FROM pg_catalog.pg_trigger AS t JOIN ours ON ours.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgname <> 'staged_jobs_before_insert' AND t.tgenabled <> 'D'
    AND t.tgtype & 1 <> 0 AND t.tgtype & 2 <> 0 AND t.tgtype & 12 <> 0
ORDER BY 1;
