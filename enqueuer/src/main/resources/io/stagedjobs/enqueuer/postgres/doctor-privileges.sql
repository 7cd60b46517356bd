-- Which privileges of an enqueuer this role has, by the catalogue. A relation that is missing has no row.
-- Index: none.
-- Locks: nothing.
WITH needed (relation, privilege) AS (VALUES
    ('staged_jobs', 'SELECT'), ('staged_jobs', 'INSERT'), ('staged_jobs', 'DELETE'),
    ('parked_jobs', 'SELECT'), ('parked_jobs', 'INSERT'), ('parked_jobs', 'DELETE'),
    ('staged_jobs_id_seq', 'SELECT'),
    ('staged_job_lanes', 'SELECT'), ('staged_job_lanes', 'UPDATE'),
    ('staged_job_enqueuers', 'SELECT'), ('staged_job_enqueuers', 'INSERT'),
    ('staged_job_enqueuers', 'UPDATE'), ('staged_job_enqueuers', 'DELETE'),
    ('staged_job_batches', 'SELECT'), ('staged_job_batches', 'INSERT'), ('staged_job_batches', 'DELETE'),
    ('staged_job_pauses', 'SELECT'), ('staged_job_pauses', 'INSERT'), ('staged_job_pauses', 'DELETE'),
    ('staged_job_delivery', 'SELECT'), ('staged_job_delivery', 'UPDATE'),
    ('staged_jobs_schema', 'SELECT'))
SELECT
    quote_ident(current_user) AS role,
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS relation,
    string_agg(needed.privilege, ', ' ORDER BY needed.privilege) FILTER (WHERE NOT may.so) AS missing,
    coalesce(bool_or(may.so AND needed.privilege <> 'SELECT'), false) AS writes,
    has_schema_privilege(n.oid, 'USAGE') AS schema_usage,
    quote_ident(n.nspname) AS schema
FROM needed
JOIN pg_catalog.pg_class AS c ON c.relname = needed.relation
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = :'schema_name'
CROSS JOIN LATERAL (
    SELECT CASE c.relkind
        WHEN 'S' THEN has_sequence_privilege(c.oid, needed.privilege)
        ELSE has_table_privilege(c.oid, needed.privilege)
    END AS so) AS may
GROUP BY n.oid, n.nspname, c.relname
ORDER BY c.relname;
