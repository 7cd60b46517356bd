-- The same as count-waiting.sql, of the rows on :percent of the table's pages, chosen at random. Only those pages are read,
-- whatever is dead on them.
-- Index: none.
-- Locks: no row.
SELECT lane, topic, count(*) AS jobs,
    max(extract(epoch FROM clock_timestamp()
        - least(greatest(staged_at, '0001-01-01 00:00:00+00'), clock_timestamp())))::float8 AS seconds
FROM :"schema".staged_jobs TABLESAMPLE SYSTEM (:percent)
GROUP BY lane, topic;
