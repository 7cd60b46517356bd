-- Moves jobs of a batch aside. OFFSET 0 as in delete-aside.sql.
-- Index: staged_jobs_pkey, one probe per pair.
-- Locks: the rows it moves.
WITH found AS (
    SELECT j.*, m.state, m.reason, m.error
    FROM unnest(:'ids'::bigint[], :'job_ids'::uuid[], :'states'::text[], :'reasons'::text[], :'errors'::text[])
        AS m (id, job_id, state, reason, error)
    CROSS JOIN LATERAL (
        SELECT ctid AS place, * FROM :"schema".staged_jobs AS t
        WHERE t.lane = :lane AND t.id = m.id AND t.job_id = m.job_id
        OFFSET 0) AS j),
gone AS (
    DELETE FROM :"schema".staged_jobs WHERE ctid = ANY (ARRAY(SELECT place FROM found)) RETURNING ctid AS place)
INSERT INTO :"schema".parked_jobs
    (lane, id, job_id, topic, job_key, job_name, payload, headers, staged_at, state, reason, error)
SELECT lane, id, job_id, topic, job_key, job_name, payload, headers, staged_at, state, reason, error
FROM found
WHERE place = ANY (ARRAY(SELECT place FROM gone));
