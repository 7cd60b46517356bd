-- Writes something, so that the commit flushes the log with everything before it.
-- Index: none.
-- Locks: nothing.
SELECT pg_logical_emit_message(true, 'staged-jobs', '');
