-- Indexes, triggers, rules and policies on the tables of jobs that are not ours, and what of ours is missing or switched off.
-- A trigger that comes before a row, a rule, or row-level security that counts for this role may hide or keep a row.
-- Index: none.
-- Locks: nothing.
WITH ours (oid) AS (
    SELECT c.oid
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = :'schema_name' AND c.relname IN ('staged_jobs', 'parked_jobs') AND c.relkind = 'r')
SELECT
    'index ' || x.relname || ' on ' || t.relname AS found,
    false AS wrong,
    CASE WHEN k.conname IS NULL
        THEN 'DROP INDEX CONCURRENTLY ' || quote_ident(n.nspname) || '.' || quote_ident(x.relname) || ';'
        ELSE 'ALTER TABLE ' || quote_ident(n.nspname) || '.' || quote_ident(t.relname) || ' DROP CONSTRAINT '
            || quote_ident(k.conname) || ';'
    END AS fix
FROM pg_catalog.pg_index AS i
JOIN ours ON ours.oid = i.indrelid
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
WHERE x.relname !~ '^(staged_jobs_(pkey)|parked_jobs_(pkey|held|key))$'
UNION ALL
-- Bits of tgtype: 1 FOR EACH ROW, 2 BEFORE, 4 INSERT, 8 DELETE.
SELECT
    'trigger ' || g.tgname || ' on ' || t.relname,
    g.tgtype & 1 <> 0 AND g.tgtype & 2 <> 0 AND g.tgtype & 12 <> 0,
    'DROP TRIGGER ' || quote_ident(g.tgname) || ' ON ' || quote_ident(n.nspname) || '.' || quote_ident(t.relname) || ';'
FROM pg_catalog.pg_trigger AS g
JOIN ours ON ours.oid = g.tgrelid
JOIN pg_catalog.pg_class AS t ON t.oid = g.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
WHERE NOT g.tgisinternal AND g.tgname <> 'staged_jobs_before_insert' AND g.tgenabled <> 'D'
UNION ALL
SELECT
    'rule ' || r.rulename || ' on ' || t.relname,
    true,
    'DROP RULE ' || quote_ident(r.rulename) || ' ON ' || quote_ident(n.nspname) || '.' || quote_ident(t.relname) || ';'
FROM pg_catalog.pg_rewrite AS r
JOIN ours ON ours.oid = r.ev_class
JOIN pg_catalog.pg_class AS t ON t.oid = r.ev_class
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
UNION ALL
SELECT
    'row-level security of ' || t.relname || CASE
        WHEN row_security_active(t.oid) THEN ' that applies to role ' || current_user
        ELSE ' that does not apply to role ' || current_user
    END,
    row_security_active(t.oid),
    'ALTER TABLE ' || quote_ident(n.nspname) || '.' || quote_ident(t.relname) || ' DISABLE ROW LEVEL SECURITY;'
FROM ours
JOIN pg_catalog.pg_class AS t ON t.oid = ours.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
WHERE t.relrowsecurity OR t.relforcerowsecurity
UNION ALL
SELECT
    'no trigger staged_jobs_before_insert on staged_jobs that fires always',
    true,
    'ALTER TABLE ' || quote_ident(n.nspname) || '.' || quote_ident(t.relname)
        || ' ENABLE ALWAYS TRIGGER staged_jobs_before_insert;'
FROM ours
JOIN pg_catalog.pg_class AS t ON t.oid = ours.oid AND t.relname = 'staged_jobs'
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_trigger AS g
    WHERE g.tgrelid = ours.oid AND g.tgname = 'staged_jobs_before_insert' AND g.tgenabled = 'A')
ORDER BY 2 DESC, 1;
