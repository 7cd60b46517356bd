-- What does not work for this enqueuer now, in its own row. Times are this database's.
-- Index: staged_job_enqueuers' primary key.
-- Locks: the row of this enqueuer.
UPDATE :"schema".staged_job_enqueuers
SET problems = (
    SELECT coalesce(
        jsonb_agg(jsonb_build_object(
            'place', p.place,
            'reason', p.reason,
            'since', clock_timestamp() - p.millis * interval '1 ms')),
        '[]')
    FROM unnest(:'places'::text[], :'reasons'::text[], :'millis'::bigint[]) AS p (place, reason, millis))
WHERE enqueuer = :'enqueuer'::uuid;
