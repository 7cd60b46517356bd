-- As read.sql, but sums up sizes: ends with the job that reaches :bytes_max. Leaves out refused topics, topics with
-- held jobs from the lowest held id on, and, if :followers, jobs that follow a parked one of their key.
-- Index: staged_jobs_pkey, in its order; parked_jobs_key, one probe per job that has a key.
-- Locks: no row.
SELECT id, uuid_send(job_id), topic, job_key, job_name, payload, headers::text, timestamptz_send(staged_at), bytes_through
FROM (
    SELECT *, sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS bytes_through
    FROM (
        SELECT *,
            (64 + coalesce(octet_length(payload), 0) + coalesce(octet_length(job_key), 0)
                + coalesce(pg_column_size(headers), 0)) AS bytes
        FROM :"schema".staged_jobs AS j
        WHERE lane = :lane AND id > :after
            AND topic <> ALL (:'refused_topics'::text[])
            AND NOT EXISTS (
                SELECT FROM unnest(:'held_topics'::text[], :'held_from'::bigint[]) AS h (topic, from_id)
                WHERE h.topic = j.topic AND j.id >= h.from_id)
            AND NOT (:followers AND EXISTS (
                SELECT FROM :"schema".parked_jobs AS p
                WHERE p.lane = j.lane AND p.topic = j.topic AND p.job_key = j.job_key
                    AND hashtextextended(p.job_key COLLATE "C", 0) = hashtextextended(j.job_key COLLATE "C", 0)
                    AND p.state = 'parked' AND p.id < j.id))
        ORDER BY id
        LIMIT :rows_max) AS next) AS sized
WHERE bytes_through - bytes < :bytes_max
ORDER BY id;
