-- Moves aside those of a lane's first jobs that belong to refused topics or follow a parked job of their key; ends with
-- the job that reaches :bytes_max. Returns how many it moved, should have moved and checked, and the last id that it
-- checked.
-- Index: staged_jobs_pkey, only the first rows; parked_jobs_key, one probe per job that has a key.
-- Locks: the rows it moves.
WITH first AS (
    SELECT ctid AS place, id, lane, topic, job_key,
        (64 + coalesce(octet_length(payload), 0) + coalesce(octet_length(job_key), 0)
            + coalesce(pg_column_size(headers), 0)) AS bytes
    FROM :"schema".staged_jobs
    WHERE lane = :lane AND id > :after
    ORDER BY id
    LIMIT :rows_max),
blocked AS (
    SELECT place, id, bytes
    FROM first AS j
    WHERE topic = ANY (:'topics'::text[])
        OR EXISTS (
            SELECT FROM :"schema".parked_jobs AS p
            WHERE p.lane = j.lane AND p.topic = j.topic AND p.job_key = j.job_key
                AND hashtextextended(p.job_key COLLATE "C", 0) = hashtextextended(j.job_key COLLATE "C", 0)
                AND p.state = 'parked' AND p.id < j.id)),
bounded AS (
    SELECT place, sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) - bytes AS before FROM blocked),
gone AS (
    DELETE FROM :"schema".staged_jobs
    WHERE ctid = ANY (ARRAY(SELECT place FROM bounded WHERE before < :bytes_max))
    RETURNING *),
moved AS (
    INSERT INTO :"schema".parked_jobs
        (lane, id, job_id, topic, job_key, job_name, payload, headers, staged_at, state, reason, error)
    SELECT lane, id, job_id, topic, job_key, job_name, payload, headers, staged_at,
        CASE WHEN reason IS NULL THEN 'parked' ELSE 'held' END,
        coalesce(reason, :'follows'),
        error
    FROM gone
    LEFT JOIN unnest(:'topics'::text[], :'reasons'::text[], :'errors'::text[]) AS h (held_topic, reason, error)
        ON held_topic = topic
    RETURNING 1)
SELECT (SELECT count(*) FROM moved) AS moved,
    (SELECT count(*) FROM blocked) AS blocked,
    count(*) AS seen,
    coalesce(max(id), 0) AS last_id
FROM first;
