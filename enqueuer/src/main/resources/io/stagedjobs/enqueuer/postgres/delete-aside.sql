-- Deletes published jobs that were moved aside meanwhile. OFFSET 0 keeps the join as it is: one that the planner may turn
-- round would go through the whole lane for each pair, wherever statistics of an empty table say that it is short.
-- Index: parked_jobs_pkey, one probe a pair.
-- Locks: the rows it deletes.
DELETE FROM :"schema".parked_jobs
WHERE ctid = ANY (ARRAY(
    SELECT place
    FROM unnest(:'ids'::bigint[], :'job_ids'::uuid[]) AS pair (id, job_id)
    CROSS JOIN LATERAL (
        SELECT ctid AS place FROM :"schema".parked_jobs AS t
        WHERE t.lane = :lane AND t.id = pair.id AND t.job_id = pair.job_id
        OFFSET 0) AS found));
