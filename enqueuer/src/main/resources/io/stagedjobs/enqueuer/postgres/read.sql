-- Reads the next jobs of a lane. A job larger than its :share of the batch comes without its payload or headers, and
-- read-sized.sql then reads again. This limits the batch for a third of the cost of read-sized.sql's window. Reading
-- sizes does not fetch large values that are stored out of line.
-- Index: staged_jobs_pkey, in its order.
-- Locks: no row, because only the lane's owner deletes.
SELECT id, uuid_send(job_id), topic, job_key, job_name,
    CASE
        WHEN (64 + coalesce(octet_length(payload), 0) + coalesce(octet_length(job_key), 0)
            + coalesce(pg_column_size(headers), 0)) <= :share THEN payload
    END,
    CASE WHEN pg_column_size(headers) <= :share THEN headers END::text,
    timestamptz_send(staged_at),
    (64 + coalesce(octet_length(payload), 0) + coalesce(octet_length(job_key), 0)
        + coalesce(pg_column_size(headers), 0))
FROM :"schema".staged_jobs
WHERE lane = :lane AND id > :after
ORDER BY id
LIMIT :rows_max;
