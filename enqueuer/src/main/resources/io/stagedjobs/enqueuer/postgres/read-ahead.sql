-- Reads the batch after the one in hand, and leaves out that one's ids, given in order. Sizes as in read-sized.sql.
-- Index: staged_jobs_pkey, in its order.
-- Locks: no row.
SELECT id, uuid_send(job_id), topic, job_key, job_name, payload, headers::text, timestamptz_send(staged_at), bytes_through
FROM (
    SELECT *, sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS bytes_through
    FROM (
        SELECT *,
            (64 + coalesce(octet_length(payload), 0) + coalesce(octet_length(job_key), 0)
                + coalesce(pg_column_size(headers), 0)) AS bytes
        FROM :"schema".staged_jobs
        WHERE lane = :lane AND id > :after
            AND id IS DISTINCT FROM (:'ids_in_hand'::bigint[])[width_bucket(id, :'ids_in_hand'::bigint[])]
        ORDER BY id
        LIMIT :rows_max) AS next) AS sized
WHERE bytes_through - bytes < :bytes_max
ORDER BY id;
