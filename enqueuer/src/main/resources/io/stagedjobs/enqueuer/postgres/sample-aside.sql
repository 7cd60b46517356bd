-- The same as count-aside.sql, of the rows on :percent of the table's pages, chosen at random.
-- Index: none.
-- Locks: no row.
SELECT lane, topic, state, reason, coalesce(max(error), '') AS error, count(*) AS jobs
FROM :"schema".parked_jobs TABLESAMPLE SYSTEM (:percent)
GROUP BY lane, topic, state, reason;
