-- Deletes published jobs, by both halves of each pair: the ids in their order, and the job_ids concatenated in one
-- value. Looking a row up there costs less than a join with the pairs, and the planner cannot reverse it.
-- Index: staged_jobs_pkey, once from the first id to the last.
-- Locks: the rows it deletes.
DELETE FROM :"schema".staged_jobs
WHERE lane = :lane AND id BETWEEN :first_id AND :last_id
    AND id = (:'ids'::bigint[])[width_bucket(id, :'ids'::bigint[])]
    AND uuid_send(job_id) = substring(:'job_ids'::bytea FROM 16 * width_bucket(id, :'ids'::bigint[]) - 15 FOR 16);
