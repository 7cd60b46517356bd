-- Stages the first held jobs of a topic again, in their old places; ends with the job that reaches :bytes_max.
-- Index: parked_jobs_held, the first entries of the topic.
-- Locks: the rows it moves.
WITH held AS (
    SELECT ctid AS place, id,
        (64 + coalesce(octet_length(payload), 0) + coalesce(octet_length(job_key), 0)
            + coalesce(pg_column_size(headers), 0)) AS bytes
    FROM :"schema".parked_jobs
    WHERE lane = :lane AND topic = :'topic' AND state = 'held'
    ORDER BY id
    LIMIT :rows_max),
bounded AS (
    SELECT place, sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) - bytes AS before FROM held),
gone AS (
    DELETE FROM :"schema".parked_jobs
    WHERE ctid = ANY (ARRAY(SELECT place FROM bounded WHERE before < :bytes_max))
    RETURNING *)
INSERT INTO :"schema".staged_jobs (id, job_id, topic, job_key, job_name, payload, headers, staged_at)
OVERRIDING SYSTEM VALUE
SELECT id, job_id, topic, job_key, job_name, payload, headers, staged_at FROM gone;
